import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type pg from 'pg';
import { withDeadline } from '../database/deadline.js';
import type { DatabaseHandle } from '../database/index.js';
import { isUnavailable } from '../database/unavailable.js';
import { foldKeyStats, foldStats } from './fold-stats.js';

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const minuteMs = 60_000;
/** Rows that found no table for their day are moved by the million. A server that takes longer has been lost. */
const statementDeadlineMs = 10 * minuteMs;
const stopDeadlineMs = 1_000;
/** PostgreSQL's code for a lock that was not to be had in time. */
const lockNotAvailable = '55P03';

// By the clock of the database, which all replicas share: one whose own is wrong cannot drop what others keep.
const today = `coalesce($1::date, (now() AT TIME ZONE 'UTC')::date)`;

/** One statement a transaction: see the migration of these functions. */
const sql = {
  add: `SELECT request_logs_add_days($2, ${today})::text[] AS added`,
  over: `SELECT request_logs_days_before(${today} - $2::int)::text AS day`,
  drop: 'SELECT request_logs_drop_day($1) AS "isDropped"',
  dropStrays: `SELECT request_logs_drop_strays(${today} - $2::int)`,
  forget: `DELETE FROM request_stats WHERE start < ${today} - $2::int AND period = $3`,
  forgetByKey: `DELETE FROM request_stats_by_key WHERE start < ${today} - $2::int AND period = $3`,
};

export interface DayKeeperOptions {
  /** For how many days rows are kept; 0: for ever. */
  retentionDays: number;
  /** For how many days statistics by hour and day are kept; 0: for ever. Those by minute are kept as long as the rows. */
  statsRetentionDays: number;
}

/** What was done. */
export interface Kept {
  added: string[];
  dropped: string[];
  /** How many of the things to be done could not be. */
  failures: number;
}

/** Runs a statement; no rows where it failed, or none is to be run any more. */
type Run = <Row extends object>(text: string, ...values: unknown[]) => Promise<Row[]>;

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

  /** To be called when the database is there. */
  start(): void {
    this.running = this.run().catch(() => {});
  }

  /** What has begun comes to its end, but is not waited for for long. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await withDeadline(this.running, stopDeadlineMs).catch(() => {});
  }

  /**
   * Does once what is to be done. What fails is logged, and keeps nothing else from being done.
   *
   * @param day which counts as today, such as 2031-05-05; the database's own, if not given
   */
  async keep(day?: string): Promise<Kept> {
    const kept: Kept = { added: [], dropped: [], failures: 0 };
    // All on one connection. A statement that fails is told of before it lets go of its locks, which the next one of
    // another connection would then take for somebody else's.
    let client: pg.PoolClient | undefined;
    let isOver = false;
    const run = async <Row extends object>(text: string, ...values: unknown[]): Promise<Row[]> => {
      if (isOver || this.stopped.signal.aborted) return [];
      try {
        client ??= await this.database.pool.connect();
        const query = { text, values, query_timeout: statementDeadlineMs };
        return (await client.query<Row>(query)).rows;
      } catch (err) {
        kept.failures++;
        // Requests have waited behind this one for somebody who holds the table. Not again before the next time.
        isOver = (err as { code?: string }).code === lockNotAvailable || isUnavailable(err);
        if (!this.stopped.signal.aborted)
          this.log.warn({ err, values }, 'request log: days could not be made or dropped');
        return [];
      }
    };
    try {
      await this.keepBy(run, kept, day);
    } finally {
      // One that gave up waiting may be waiting still.
      client?.release(isOver);
    }
    return kept;
  }

  /** From when on there are statistics by the minute, which go with the rows. */
  minutesSince(now: Date): Date {
    const { retentionDays } = this.options;
    return new Date(retentionDays === 0 ? 0 : Math.floor(now.getTime() / dayMs - retentionDays) * dayMs);
  }

  private async keepBy(run: Run, kept: Kept, day?: string) {
    const { retentionDays, statsRetentionDays } = this.options;

    const [made] = await run<{ added: string[] | null }>(sql.add, day, retentionDays);
    // Null: somebody else is at it.
    if (made?.added === null) return;
    kept.added = made?.added ?? [];
    if (retentionDays > 0) {
      for (const over of await run<{ day: string }>(sql.over, day, retentionDays)) {
        const [row] = await run<{ isDropped: boolean }>(sql.drop, over.day);
        if (row?.isDropped) kept.dropped.push(over.day);
      }
      await run(sql.dropStrays, day, retentionDays);
    }
    for (const [period, days] of [
      [60, retentionDays],
      [3_600, statsRetentionDays],
      [86_400, statsRetentionDays],
    ] as const) {
      if (days === 0) continue;
      await run(sql.forget, day, days, period);
      await run(sql.forgetByKey, day, days, period);
    }
    for (const fold of [foldStats, foldKeyStats]) await run(fold, null);
  }

  private async run() {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      const { dropped, failures } = await this.keep();
      if (dropped.length > 0) this.log.info({ days: dropped }, 'request log: days over their time are dropped');
      const pauseMs = failures === 0 ? hourMs : minuteMs;
      await sleep(pauseMs * (0.75 + Math.random() / 4), undefined, { ref: false, signal });
    }
  }
}
