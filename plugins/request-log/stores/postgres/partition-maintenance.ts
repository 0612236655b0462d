import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type pg from 'pg';
import { withDeadline } from '../../../database/deadline.js';
import type { DatabaseHandle } from '../../../database/index.js';
import { isUnavailable } from '../../../database/unavailable.js';
import { rollUpStatements } from './roll-up-stats.js';

const hourMs = 3_600_000;
const minuteMs = 60_000;
/** Long, because a statement may move millions of rows out of the default partition. */
const statementDeadlineMs = 10 * minuteMs;
const stopDeadlineMs = 1_000;
/** Two months: a quota counts in the current month or day. */
const quotaDays = 62;
/** Longer than a spool usually waits for its process. */
const settledDays = 7;
const lockNotAvailable = '55P03';

// The database's clock, so that a replica with a wrong clock drops nothing.
const today = `coalesce($1::date, (now() AT TIME ZONE 'UTC')::date)`;

/** One statement a transaction: see the migration that creates these functions. */
const sqlOf = (schema: string) => ({
  addDays: `SELECT ${schema}.request_logs_add_days($2, ${today})::text[] AS added`,
  expiredDays: `SELECT ${schema}.request_logs_days_before(${today} - $2::int)::text AS day`,
  dropDay: `SELECT ${schema}.request_logs_drop_day($1) AS "isDropped"`,
  trimDefault: `SELECT ${schema}.request_logs_drop_strays(${today} - $2::int)`,
  trimStats: `DELETE FROM ${schema}.request_stats WHERE start < ${today} - $2::int AND period = $3`,
  trimStatsByKey: `DELETE FROM ${schema}.request_stats_by_key WHERE start < ${today} - $2::int AND period = $3`,
  expireEvents: `SELECT ${schema}.api_key_events_expire(${today} - $2::int)`,
  trimQuotas: `DELETE FROM ${schema}.quota_usage WHERE start < ${today} - $2::int`,
  trimSettled: `DELETE FROM ${schema}.settled_batches WHERE "settledAt" < ${today} - $2::int`,
  trimThresholds: `DELETE FROM ${schema}.quota_thresholds WHERE start < ${today} - $2::int`,
  trimUsage: `DELETE FROM ${schema}.key_usage WHERE start < ${today} - $2::int AND period = $3`,
});

export interface PartitionMaintenanceOptions {
  /** How many days rows are kept; 0: without limit. */
  retentionDays: number;
  /** How many days statistics by hour and day are kept; 0: without limit. Those by minute are kept as long as the rows. */
  statsRetentionDays: number;
  /** How many days events of keys are kept; 0: without limit. */
  eventsRetentionDays: number;
}

export interface MaintenanceResult {
  /** The days whose partitions were created, such as 2031-05-05. */
  added: string[];
  /** The days whose partitions were dropped. */
  dropped: string[];
  /** How many statements failed. */
  failures: number;
}

/** Runs a statement; returns no rows after a failure, and when maintenance is stopped. */
type Run = <Row extends object>(text: string, ...values: unknown[]) => Promise<Row[]>;

/**
 * Creates upcoming daily partitions of `request_logs`, drops expired ones, and compacts statistics, once an hour. One replica at a time
 * does it. A row without a partition for its day goes to the default partition.
 */
export class PartitionMaintenance {
  private readonly stopped = new AbortController();
  private readonly database: DatabaseHandle;
  private readonly options: PartitionMaintenanceOptions;
  private readonly log: FastifyBaseLogger;
  private running: Promise<void> = Promise.resolve();

  constructor(database: DatabaseHandle, options: PartitionMaintenanceOptions, log: FastifyBaseLogger) {
    this.database = database;
    this.options = options;
    this.log = log;
  }

  /** Starts the schedule. The database must be ready. */
  start(): void {
    this.running = this.runHourly().catch(() => {});
  }

  /** Starts no more statements, and waits up to a second for a running one. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await withDeadline(this.running, stopDeadlineMs).catch(() => {});
  }

  /**
   * Runs maintenance once. A statement that fails is logged and does not stop the others.
   *
   * @param day the date to use as today, such as 2031-05-05; without it, the database's
   */
  async run(day?: string): Promise<MaintenanceResult> {
    const result: MaintenanceResult = { added: [], dropped: [], failures: 0 };
    // All on one connection: another one could wait for locks that a failed statement has not released yet.
    let client: pg.PoolClient | undefined;
    let isOver = false;
    const run = async <Row extends object>(text: string, ...values: unknown[]): Promise<Row[]> => {
      if (isOver || this.stopped.signal.aborted) return [];
      try {
        client ??= await this.database.logPool.connect();
        // SET LOCAL: behind a pooler the session is shared.
        await client.query(`BEGIN; SET LOCAL statement_timeout = ${statementDeadlineMs}`);
        const query = { text, values, query_timeout: statementDeadlineMs };
        const { rows } = await client.query<Row>(query);
        await client.query('COMMIT');
        // Requests wait for the embedded database's only connection.
        if (this.database.isEmbedded) {
          client.release();
          client = undefined;
        }
        return rows;
      } catch (err) {
        result.failures++;
        await client?.query('ROLLBACK').catch(() => {});
        // Requests queue behind a statement that waits for a lock, so the others wait for the next run.
        isOver = (err as { code?: string }).code === lockNotAvailable || isUnavailable(err);
        if (!this.stopped.signal.aborted) this.log.warn({ err, values }, 'request log: partition maintenance failed');
        return [];
      }
    };
    try {
      await this.maintain(run, result, day);
    } finally {
      client?.release(isOver);
    }
    return result;
  }

  private async maintain(run: Run, result: MaintenanceResult, day?: string) {
    const { retentionDays, statsRetentionDays, eventsRetentionDays } = this.options;
    const { quotedSchema } = this.database;
    const sql = sqlOf(quotedSchema);

    const [created] = await run<{ added: string[] | null }>(sql.addDays, day, retentionDays);
    // Null: another replica runs maintenance.
    if (created?.added === null) return;
    result.added = created?.added ?? [];
    if (retentionDays > 0) {
      for (const expired of await run<{ day: string }>(sql.expiredDays, day, retentionDays)) {
        const [row] = await run<{ isDropped: boolean }>(sql.dropDay, expired.day);
        if (row?.isDropped) result.dropped.push(expired.day);
      }
      await run(sql.trimDefault, day, retentionDays);
    }
    for (const [period, days] of [
      [60, retentionDays],
      [3_600, statsRetentionDays],
      [86_400, statsRetentionDays],
    ] as const) {
      if (days === 0) continue;
      await run(sql.trimStats, day, days, period);
      await run(sql.trimStatsByKey, day, days, period);
      await run(sql.trimUsage, day, days, period);
    }
    await run(sql.trimQuotas, day, quotaDays);
    await run(sql.trimThresholds, day, quotaDays);
    await run(sql.trimSettled, day, settledDays);
    for (const statement of rollUpStatements(quotedSchema)) await run(statement, null);
    if (eventsRetentionDays > 0) await run(sql.expireEvents, day, eventsRetentionDays);
  }

  private async runHourly() {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      const { dropped, failures } = await this.run();
      if (dropped.length > 0) this.log.info({ days: dropped }, 'request log: expired partitions were dropped');
      const pauseMs = failures === 0 ? hourMs : minuteMs;
      await sleep(pauseMs * (0.75 + Math.random() / 4), undefined, { ref: false, signal });
    }
  }
}
