import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, openDatabase } from '../plugins/database/open.js';
import type { Defer } from '../scripts/cleanup.js';
import { loadConfig, version } from '../src/config/index.js';
import type { Scratch } from './scratch.js';

/**
 * PostgreSQL generates the rows itself, so that no other process uses CPU for them. It works less than for the service: there is one
 * kind of row, and there are no statistics.
 */
const insert = `
  INSERT INTO request_logs (id, method, path, "statusCode", duration, ip, "apiKeyId", "createdAt", route, outcome)
  SELECT lpad(to_hex($2::bigint), 12, '0') || '-7' || lpad(i::text, 22, '0'), 'GET', '/v1/me', 200, 1, '127.0.0.1',
    '00000000-0000-7000-8000-000000000001', timestamp 'epoch' + $2::bigint * interval '1 millisecond', '/v1/me', 'VALID'
  FROM generate_series(1, $1::int) AS i`;

/** Inserts as many rows as a measured service, while another server is measured. */
export class RowWriter {
  private readonly database: Database;
  private readonly intervalMs: number;

  private constructor(database: Database, intervalMs: number) {
    this.database = database;
    this.intervalMs = intervalMs;
  }

  /** Creates the tables in an empty database. */
  static async open({ url }: Scratch, defer: Defer): Promise<RowWriter> {
    const config = loadConfig({});
    const database = openDatabase({ ...config.database, url });
    defer(() => database.close());
    await database.start(() => {});
    await database.migrate(version);
    return new RowWriter(database, config.requestLog.flushIntervalMs);
  }

  /** Inserts rows at this rate, in one statement for each flush interval of the service, until `signal` is aborted. */
  async write(rowsPerSecond: number, signal: AbortSignal): Promise<void> {
    let writtenAt = performance.now();
    while (!signal.aborted) {
      const waitMs = Math.max(0, writtenAt + this.intervalMs - performance.now());
      await sleep(waitMs, undefined, { signal }).catch(() => {});
      const now = performance.now();
      // A late statement inserts more rows, so that the rate is the same.
      const rows = Math.round((rowsPerSecond * (now - writtenAt)) / 1_000);
      writtenAt = now;
      await this.database.logPool.query({ name: 'bench-rows', text: insert, values: [rows, Date.now()] });
    }
  }
}
