import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { backoff } from '../database/backoff.js';
import { withDeadline } from '../database/deadline.js';

/** The channel on which the trigger on `api_keys` publishes the digest of each changed key. */
const channel = 'musicez_api_keys';

/** The payload after all keys were changed at once, as by TRUNCATE. */
const allKeys = '*';

/** The prefix of the payload after the limits of an owner were changed. */
const ownerPrefix = 'owner:';

export interface ChangeListenerOptions {
  /** Creates a dedicated client. The listener connects it. */
  createClient(): pg.Client;
  /**
   * The pool that sends heartbeats. A heartbeat on the listener's own connection would arrive even behind a pooler that does not
   * forward notifications.
   */
  pool: pg.Pool;
  heartbeatIntervalMs: number;
  onChange(digest: string): void;
  onOwnerChanged(ownerId: string): void;
  onAllChanged(): void;
  /**
   * Called after each heartbeat that arrived. Times are of the monotonic clock, in milliseconds.
   *
   * @param from when the listener subscribed
   * @param until when the heartbeat was sent: all earlier changes have been received
   */
  onHeartbeat(from: number, until: number): void;
  /**
   * Called after each heartbeat that was sent, whether or not it arrives.
   *
   * @param databaseMs the database's clock, in milliseconds since 1970
   * @param queriedAt before the query, by the monotonic clock
   * @param respondedAt after the query, by the monotonic clock
   */
  onClock(databaseMs: number, queriedAt: number, respondedAt: number): void;
  /** Called when notifications begin to arrive, and with the reason when they stop. */
  onStateChange(isReceiving: boolean, reason?: Error): void;
}

/** No digest starts with it. */
const heartbeatPrefix = 'beat:';

const connectDeadlineMs = 5_000;
const heartbeatDeadlineMs = 2_000;

/**
 * Subscribes to the changes of keys, on a dedicated connection. Sends itself heartbeats, and reconnects with backoff when one does
 * not arrive.
 *
 * @see https://www.postgresql.org/docs/current/sql-notify.html
 */
export class ChangeListener {
  /** Undefined until the first heartbeat arrives or the first connection fails. */
  private state: boolean | undefined;
  private readonly options: ChangeListenerOptions;
  private readonly stopped = new AbortController();
  private failConnection = (_reason: Error) => {};
  private running: Promise<void> = Promise.resolve();
  private failures = 0;

  constructor(options: ChangeListenerOptions) {
    this.options = options;
  }

  /** Whether notifications arrive. */
  get isReceiving(): boolean {
    return this.state ?? false;
  }

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    this.failConnection(new Error('stopped'));
    await this.running;
  }

  private async run() {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      const client = this.options.createClient();
      try {
        await this.listen(client);
      } catch (error) {
        if (!signal.aborted) this.setState(false, error as Error);
      } finally {
        await withDeadline(client.end(), heartbeatDeadlineMs).catch(() => {});
      }
      await backoff(++this.failures, signal).catch(() => {});
    }
  }

  /** Listens until the connection or a heartbeat is lost, or the listener is stopped. */
  private async listen(client: pg.Client) {
    const lost = new Promise<never>((_, reject) => {
      this.failConnection = reject;
      client.on('error', reject);
      client.on('end', () => reject(new Error('the connection has ended')));
    });
    lost.catch(() => {});
    const orLost = <T>(work: Promise<T>) => Promise.race([work, lost]);

    await orLost(withDeadline(client.connect(), connectDeadlineMs));
    let onHeartbeat = (_payload: string) => {};
    client.on('notification', ({ payload = '' }) => {
      if (payload === allKeys) this.options.onAllChanged();
      else if (payload.startsWith(heartbeatPrefix)) onHeartbeat(payload);
      else if (payload.startsWith(ownerPrefix)) this.options.onOwnerChanged(payload.slice(ownerPrefix.length));
      else this.options.onChange(payload);
    });
    await orLost(withDeadline(client.query(`LISTEN ${channel}`), connectDeadlineMs));

    const from = performance.now();
    for (;;) {
      const sentAt = performance.now();
      const heartbeat = heartbeatPrefix + randomUUID();
      const arrived = new Promise<void>((resolve) => {
        onHeartbeat = (payload) => payload === heartbeat && resolve();
      });
      await orLost(withDeadline(Promise.all([this.send(heartbeat), arrived]), heartbeatDeadlineMs));
      this.options.onHeartbeat(from, sentAt);
      this.failures = 0;
      this.setState(true);
      await orLost(sleep(this.options.heartbeatIntervalMs, undefined, { ref: false }));
    }
  }

  /** Sends a heartbeat; the response has the database's clock. */
  private async send(heartbeat: string) {
    const queriedAt = performance.now();
    const { rows } = await this.options.pool.query<{ nowMs: number }>(
      `SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS "nowMs", pg_notify($1, $2)`,
      [channel, heartbeat],
    );
    if (rows[0]) this.options.onClock(rows[0].nowMs, queriedAt, performance.now());
  }

  private setState(isReceiving: boolean, reason?: Error) {
    if (isReceiving === this.state) return;
    this.state = isReceiving;
    this.options.onStateChange(isReceiving, reason);
  }
}
