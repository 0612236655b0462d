import pg from 'pg';
import type { Test } from 'tap';
import { ClickHouse } from '../../../plugins/request-log/stores/clickhouse/client.js';
import { needsClickHouse, TestClickHouse } from '../../clickhouse/server.js';
import { createTestDatabase } from '../../database.js';
import { BreakableDatabase } from '../database/proxy.js';
import { checkStatistics } from './sums.js';

/** Databases of a service that is tested, with its request log behind a proxy that can fail. */
export interface LogDatabase {
  /** Variables of the service. */
  variables: NodeJS.ProcessEnv;
  proxy: BreakableDatabase;
  check: LogCheck;
}

export interface LogCheck {
  /** Those of the ids that have a row. */
  storedIds(ids: readonly string[]): Promise<Set<string>>;
  /** Checks that the statistics match the rows. @returns the number of rows */
  checkStatistics(t: Test): Promise<number>;
}

/** The stores of the request log. */
export const logDatabases = [
  { name: 'PostgreSQL', skip: false, open: openPostgres },
  { name: 'ClickHouse', skip: needsClickHouse, open: openClickHouse },
] as const;

async function openPostgres(t: Test): Promise<LogDatabase> {
  const { DATABASE_URL = '', ...variables } = await createTestDatabase();
  const proxy = new BreakableDatabase(DATABASE_URL);
  await proxy.listen();
  return { variables: { ...variables, DATABASE_URL: proxy.url }, proxy, check: checkOfPostgres(t, DATABASE_URL) };
}

/** Connects on the first check. */
export function checkOfPostgres(t: Test, url: string): LogCheck {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  t.teardown(() => pool.end());
  return {
    async storedIds(ids) {
      const { rows } = await pool.query<{ id: string }>('SELECT id FROM request_logs WHERE id = ANY ($1)', [ids]);
      return new Set(rows.map(({ id }) => id));
    },
    checkStatistics: (t) => checkStatistics(t, pool),
  };
}

async function openClickHouse(t: Test): Promise<LogDatabase> {
  const server = await TestClickHouse.start(t);
  const proxy = new BreakableDatabase(server.url);
  await proxy.listen();
  return {
    // With the interval of PostgreSQL, so that the same bounds hold.
    variables: { ...(await createTestDatabase()), REQUEST_LOG_URL: proxy.url, REQUEST_LOG_FLUSH_MS: '100' },
    proxy,
    check: checkOfClickHouse(t, server.url),
  };
}

const periods = 'arrayJoin([60, 3600, 86400]) AS period';
/** The sums of each kind of statistics, by period, and what they are by the rows. */
const sums = `
  SELECT * FROM (
    SELECT 'count' AS kind, period, sum(count) AS found FROM request_stats GROUP BY period
    UNION ALL
    SELECT 'histogram', period, sum(arraySum(mapValues(histogram))) FROM request_stats GROUP BY period
    UNION ALL SELECT 'key', period, sum(count) FROM request_stats_by_key GROUP BY period
    UNION ALL SELECT 'usage', period, sum(count) FROM key_usage GROUP BY period
  ) ORDER BY kind, period`;
const expectedSums = `
  SELECT * FROM (
    SELECT 'count' AS kind, ${periods}, count() AS found FROM request_logs GROUP BY period
    UNION ALL SELECT 'histogram', ${periods}, count() FROM request_logs GROUP BY period
    UNION ALL SELECT 'key', ${periods}, count() FROM request_logs WHERE apiKeyId != '' GROUP BY period
    UNION ALL SELECT 'usage', ${periods}, countIf(apiKeyId != '' AND outcome != '') + countIf(verifiedApiKeyId != '')
    FROM request_logs GROUP BY period
  ) ORDER BY kind, period`;

export function checkOfClickHouse(t: Test, url: string): LogCheck {
  const clickHouse = new ClickHouse(url);
  t.teardown(() => clickHouse.close());
  return {
    async storedIds(ids) {
      const rows = await clickHouse.rows<{ id: string }>('SELECT id FROM request_logs');
      const stored = new Set(rows.map(({ id }) => id));
      return new Set(ids.filter((id) => stored.has(id)));
    },
    async checkStatistics(t) {
      t.strictSame(await clickHouse.rows(sums), await clickHouse.rows(expectedSums), 'the statistics match the rows');
      const [total] = await clickHouse.rows<{ rows: number; ids: number }>(
        'SELECT count() AS rows, uniqExact(id) AS ids FROM request_logs',
      );
      t.equal(total?.ids, total?.rows, 'no row is stored twice');
      return total?.rows ?? 0;
    },
  };
}
