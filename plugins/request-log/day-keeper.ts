import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { DatabaseHandle } from '../database/index.js';
import { unhurried } from '../database/pool.js';

const hourMs = 3_600_000;
const minuteMs = 60_000;

// By the clock of the database, which all replicas share: one whose own is wrong cannot drop what others keep.
const keep = `SELECT added, dropped FROM request_logs_keep($1, (now() AT TIME ZONE 'UTC')::date)`;

/** Statistics by minute are kept as long as the rows, those by hour and day for longer. */
const forget = ['request_stats', 'request_stats_by_key'].map(
  (table) => `DELETE FROM ${table} WHERE period = $1 AND start < (now() AT TIME ZONE 'UTC')::date - $2::int`,
);

export interface DayKeeperOptions {
  /** For how many days rows are kept; 0: for ever. */
  retentionDays: number;
  /** For how many days statistics by hour and day are kept; 0: for ever. */
  statsRetentionDays: number;
}

/**
 * Sees to it, hourly, that `request_logs` has a table for each day to come and none for those that are over their time.
 * Of several replicas that try at once, one does it. Until it is done rows go to a table for strays, so nothing waits.
 */
export class DayKeeper {
  private readonly stopped = new AbortController();
  private readonly database: DatabaseHandle;
  private readonly options: DayKeeperOptions;
  private readonly log: FastifyBaseLogger;
  private running: Promise<void> = Promise.resolve();

  constructor(database: DatabaseHandle, options: DayKeeperOptions, log: FastifyBaseLogger) {
    this.database = database;
    this.options = options;
    this.log = log;
  }

  start(): void {
    this.running = this.run().catch(() => {});
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    // What it waits for before may never come, and it has nothing to end.
    if (this.database.isReady) await this.running;
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
    const { retentionDays, statsRetentionDays } = this.options;
    try {
      const { rows } = await this.database.pool.query<{ added: Date[]; dropped: Date[] }>({
        text: keep,
        values: [retentionDays],
        ...unhurried,
      });
      const dropped = rows[0]?.dropped.length ?? 0;
      if (dropped > 0) this.log.info({ days: dropped }, `request log: rows older than ${retentionDays} days dropped`);
      // No row: somebody else has seen to it.
      if (rows.length === 0) return true;
      if (retentionDays > 0) await this.forgetStats(60, retentionDays);
      for (const period of statsRetentionDays > 0 ? [3_600, 86_400] : [])
        await this.forgetStats(period, statsRetentionDays);
      return true;
    } catch (error) {
      if (!this.stopped.signal.aborted) this.log.warn({ err: error }, 'request log: days could not be made or dropped');
      return false;
    }
  }
  private async forgetStats(period: number, days: number) {
    for (const text of forget) await this.database.pool.query({ text, values: [period, days], ...unhurried });
  }
}
