import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { DatabaseHandle } from '../database/index.js';
import { unhurried } from '../database/pool.js';

const hourMs = 3_600_000;
const minuteMs = 60_000;

// By the clock of the database, which all replicas share: one whose own is wrong cannot drop what others keep.
const keep = `SELECT added, dropped FROM request_logs_keep($1, (now() AT TIME ZONE 'UTC')::date)`;

/**
 * Sees to it, hourly, that `request_logs` has a table for each day to come and none for those that are over their time.
 * Of several replicas that try at once, one does it. Until it is done rows go to a table for strays, so nothing waits.
 */
export class DayKeeper {
  private readonly stopped = new AbortController();
  private readonly database: DatabaseHandle;
  private readonly retentionDays: number;
  private readonly log: FastifyBaseLogger;
  private running: Promise<void> = Promise.resolve();

  /** @param retentionDays for how many days rows are kept; 0: for ever */
  constructor(database: DatabaseHandle, retentionDays: number, log: FastifyBaseLogger) {
    this.database = database;
    this.retentionDays = retentionDays;
    this.log = log;
  }

  start(): void {
    this.running = this.run().catch(() => {});
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  private async run() {
    const { signal } = this.stopped;
    await this.database.ready;
    while (!signal.aborted) {
      const isDone = await this.keepDays();
      const pauseMs = isDone ? hourMs : minuteMs;
      await sleep(pauseMs * (0.75 + Math.random() / 4), undefined, { ref: false, signal });
    }
  }

  /** @returns whether it has come to an end, here or on another replica */
  private async keepDays(): Promise<boolean> {
    try {
      const { rows } = await this.database.pool.query<{ added: Date[]; dropped: Date[] }>({
        text: keep,
        values: [this.retentionDays],
        ...unhurried,
      });
      const dropped = rows[0]?.dropped.length ?? 0;
      if (dropped > 0)
        this.log.info({ days: dropped }, `request log: rows older than ${this.retentionDays} days dropped`);
      return true;
    } catch (error) {
      if (!this.stopped.signal.aborted) this.log.warn({ err: error }, 'request log: days could not be made or dropped');
      return false;
    }
  }
}
