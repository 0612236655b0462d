import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { backoff } from '../database/backoff.js';
import { withDeadline } from '../database/deadline.js';

/** Where the trigger on `api_keys` says the digest of each key that changes. */
const channel = 'musicez_api_keys';

/** What it says when all keys are gone at once. */
const allKeys = '*';

export interface ChangeListenerOptions {
  /** A new connection, not yet connected, for the listener alone. */
  createClient(): pg.Client;
  /**
   * Where the heartbeat is sent: another connection. On its own it would hear itself even behind a pooler that passes no
   * notification on.
   */
  pool: pg.Pool;
  /** How often it proves itself, in milliseconds. */
  beatEveryMs: number;
  onChange(digest: string): void;
  onAllChanged(): void;
  /**
   * Told with each heartbeat that arrived.
   *
   * @param from when it began to listen, of the monotonic clock
   * @param until when the heartbeat was sent: all that changed before has been heard of
   */
  onHeard(from: number, until: number): void;
  /** Told when it begins to hear, and when it no longer does: with the reason, once. */
  onTurn(hears: boolean, reason?: Error): void;
}

/** What a heartbeat starts with, and no digest. */
const beatPrefix = 'beat:';

const connectDeadlineMs = 5_000;
const beatDeadlineMs = 2_000;

/**
 * Hears of every change of a key, whoever makes it, over a connection of its own. It counts as hearing for as long as it
 * hears its own heartbeat; else it connects anew, with backoff.
 *
 * @see https://www.postgresql.org/docs/current/sql-notify.html
 */
export class ChangeListener {
  /** Undefined before the first time it is known whether it hears. */
  private hearsNow: boolean | undefined;
  private readonly options: ChangeListenerOptions;
  private readonly stopped = new AbortController();
  private giveUp = (_reason: Error) => {};
  private running: Promise<void> = Promise.resolve();
  private failures = 0;

  constructor(options: ChangeListenerOptions) {
    this.options = options;
  }

  get hears(): boolean {
    return this.hearsNow ?? false;
  }

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    this.giveUp(new Error('stopped'));
    await this.running;
  }

  private async run() {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      const client = this.options.createClient();
      try {
        await this.listen(client);
      } catch (error) {
        if (!signal.aborted) this.turn(false, error as Error);
      } finally {
        await withDeadline(client.end(), beatDeadlineMs).catch(() => {});
      }
      await backoff(++this.failures, signal).catch(() => {});
    }
  }

  /** Listens until the connection is lost, a heartbeat is, or it is stopped. */
  private async listen(client: pg.Client) {
    const lost = new Promise<never>((_, reject) => {
      this.giveUp = reject;
      client.on('error', reject);
      client.on('end', () => reject(new Error('the connection has ended')));
    });
    lost.catch(() => {});
    const orLost = <T>(work: Promise<T>) => Promise.race([work, lost]);

    await orLost(withDeadline(client.connect(), connectDeadlineMs));
    let arrived = (_payload: string) => {};
    client.on('notification', ({ payload = '' }) => {
      if (payload === allKeys) this.options.onAllChanged();
      else if (payload.startsWith(beatPrefix)) arrived(payload);
      else this.options.onChange(payload);
    });
    await orLost(withDeadline(client.query(`LISTEN ${channel}`), connectDeadlineMs));

    const from = performance.now();
    for (;;) {
      const sentAt = performance.now();
      const beat = beatPrefix + randomUUID();
      const heard = new Promise<void>((resolve) => {
        arrived = (payload) => payload === beat && resolve();
      });
      const sent = this.options.pool.query('SELECT pg_notify($1, $2)', [channel, beat]);
      await orLost(withDeadline(Promise.all([sent, heard]), beatDeadlineMs));
      this.options.onHeard(from, sentAt);
      this.failures = 0;
      this.turn(true);
      await orLost(sleep(this.options.beatEveryMs, undefined, { ref: false }));
    }
  }

  private turn(hears: boolean, reason?: Error) {
    if (hears === this.hearsNow) return;
    this.hearsNow = hears;
    this.options.onTurn(hears, reason);
  }
}
