import pg from 'pg';
import { rollUpStatements } from '../../plugins/request-log/stores/postgres/roll-up-stats.js';
import type { Progress } from '../progress.js';

export const days = 30;
/** Ids of keys that differ in their last digits. */
export const idOfKey = (number: number) => `00000000-0000-7000-8000-${String(number).padStart(12, '0')}`;
export const busyKey = idOfKey(1);
export const rareKey = idOfKey(0);
/** Rows of each rare kind. They are chosen by row number: in a small log, chance could leave out some kinds. */
const rareRowsPerDay = 3;
const isRare = (kind: number) => `i % ($2::int / ${rareRowsPerDay} + 1) = ${kind}`;
/** How many days are filled at the same time. */
const connections = 2;

/**
 * Inserts the rows of one day at equal intervals: ten routes, some of them with many paths; few errors; keys, each with about a
 * fifth fewer requests than the one before. `OFFSET 0` keeps PostgreSQL from computing the hash again for each use.
 */
const rowsOf = (table: string) => `
  INSERT INTO ${table} (id, method, path, "statusCode", duration, ip, "userAgent", "apiKeyId", "createdAt", route)
  SELECT substr(ms, 1, 8) || '-' || substr(ms, 9, 4) || '-7' || substr(hash, 1, 3) || '-8' || substr(hash, 4, 3) || '-'
      || substr(hash, 7, 12),
    CASE WHEN route < 8 THEN 'GET' ELSE 'POST' END,
    resource || CASE WHEN route IN (2, 3, 4) THEN '/' || (chance * 10000)::int ELSE '' END,
    CASE WHEN ${isRare(1)} THEN 503 WHEN chance < 0.005 THEN 500 WHEN chance < 0.03 THEN 404
      WHEN route >= 8 THEN 201 ELSE 200 END,
    round(exp(luck * 6) + CASE WHEN chance > 0.9995 OR ${isRare(2)} THEN 2000 ELSE 0 END), '10.0.0.' || (i % 250),
    (ARRAY['curl/8.5.0', 'undici', 'python-requests/2.32', 'Go-http-client/1.1', 'okhttp/4.12'])[i % 5 + 1],
    '00000000-0000-7000-8000-' || lpad(CASE WHEN ${isRare(0)} THEN '0'
      ELSE least(floor(-ln(1 - luck * 0.9999) * 4)::int + 1, 40)::text END, 12, '0'),
    $1::timestamp + at * interval '1 millisecond',
    resource || CASE WHEN route IN (2, 3, 4) THEN '/:id' ELSE '' END
  FROM (
    SELECT i, i * 86400000 / $2::bigint AS at, md5(i::text || $1::text) AS hash,
      lpad(to_hex((extract(epoch FROM $1::timestamp) * 1000)::bigint + i * 86400000 / $2::bigint), 12, '0') AS ms
    FROM generate_series(0, $2::bigint - 1) AS i OFFSET 0
  ) AS request,
  LATERAL (SELECT ('x' || substr(hash, 19, 1))::bit(4)::int * 10 / 16 AS route,
    ('x' || substr(hash, 20, 6))::bit(24)::int / 16777216.0::float8 AS chance,
    ('x' || substr(hash, 26, 6))::bit(24)::int / 16777216.0::float8 AS luck OFFSET 0) AS dice,
  LATERAL (SELECT '/v1/' || CASE WHEN ${isRare(3)} THEN 'refunds' ELSE (ARRAY['me', 'orders', 'orders',
    'customers', 'products', 'search', 'prices', 'stock', 'orders', 'payments'])[route + 1] END AS resource) AS named`;

/** Each replica writes to its own shard of the statistics. */
const replicas = 3;
const shard = `ascii(right(id, 1)) % ${replicas} AS shard`;

const statsOf = (table: string) => `
  WITH bins AS MATERIALIZED (
    SELECT date_trunc('minute', "createdAt") AS start, route, method, "statusCode",
      ${shard}, ceil(ln(greatest(duration, 0.5::float8) / 0.01) / ln(1.2::float8))::int AS bucket, count(*) AS n
    FROM ${table} GROUP BY 1, 2, 3, 4, 5, 6
  ), periods AS (
    SELECT 60 AS period, * FROM bins
    UNION ALL SELECT 3600, date_trunc('hour', start), route, method, "statusCode", shard, bucket, sum(n) FROM bins
      GROUP BY 2, 3, 4, 5, 6, 7
    UNION ALL SELECT 86400, date_trunc('day', start), route, method, "statusCode", shard, bucket, sum(n) FROM bins
      GROUP BY 2, 3, 4, 5, 6, 7
  )
  INSERT INTO request_stats (period, start, route, method, "statusCode", shard, count, histogram)
  SELECT period, start, route, method, "statusCode", shard, sum(n), array_agg(n::bigint << 7 | bucket)
  FROM periods GROUP BY period, start, route, method, "statusCode", shard`;

const keyStatsOf = (table: string) => `
  WITH keys AS MATERIALIZED (
    SELECT date_trunc('minute', "createdAt") AS start, "apiKeyId", ${shard}, count(*) AS n,
      count(*) FILTER (WHERE "statusCode" >= 500) AS errors
    FROM ${table} GROUP BY 1, 2, 3
  )
  INSERT INTO request_stats_by_key (period, start, "apiKeyId", shard, count, errors)
  SELECT 60, start, "apiKeyId", shard, n, errors FROM keys
  UNION ALL SELECT 3600, date_trunc('hour', start), "apiKeyId", shard, sum(n), sum(errors) FROM keys GROUP BY 2, 3, 4
  UNION ALL SELECT 86400, date_trunc('day', start), "apiKeyId", shard, sum(n), sum(errors) FROM keys GROUP BY 2, 3, 4`;

/**
 * Fills the log with rows of the last 30 days, and the statistics with their sums, as three replicas would write them. The
 * indexes of a partition are built after its rows are inserted.
 */
export async function fill(url: string, rows: number, progress: Progress, signal: AbortSignal): Promise<void> {
  const left = Array.from({ length: days }, (_, age) => age);
  const startedAt = performance.now();
  let done = 0;
  progress.begin(`inserting ${rows.toLocaleString('en-US')} rows`);
  progress.end('started');
  const workers = Array.from({ length: connections }, async () => {
    const client = await connect(url);
    try {
      for (let age = left.shift(); age !== undefined; age = left.shift()) {
        signal.throwIfAborted();
        await fillDay(client, age, Math.ceil(rows / days));
        done++;
        const secondsLeft = ((performance.now() - startedAt) / 1000 / done) * (days - done);
        progress.begin(`day ${done} of ${days}`, secondsLeft);
        progress.end('filled');
      }
    } finally {
      await client.end();
    }
  });
  await Promise.all(workers);
  const client = await connect(url);
  // The service does this once an hour.
  for (const statement of rollUpStatements('public')) await client.query(statement, [days + 1]);
  await client.query('ANALYZE request_logs');
  await client.query('VACUUM ANALYZE request_stats');
  await client.query('VACUUM ANALYZE request_stats_by_key');
  await client.end();
}

async function fillDay(client: pg.Client, age: number, rows: number) {
  const { rows: found } = await client.query<{ day: string; name: string; first: string; end: string }>(
    `SELECT day::text, 'request_logs_' || to_char(day, 'YYYYMMDD') AS name, request_logs_first_id(day) AS first,
       request_logs_first_id(day + 1) AS end FROM (SELECT (now() AT TIME ZONE 'UTC')::date - $1::int AS day) AS today`,
    [age],
  );
  const { day, name, first, end } = found[0] as (typeof found)[number];
  // Some partitions exist already, with the rows of a few requests to the service.
  await client.query(`CREATE TABLE ${name}_filled (LIKE request_logs INCLUDING DEFAULTS)`);
  await client.query(rowsOf(`${name}_filled`), [day, rows]);
  await client.query(statsOf(`${name}_filled`));
  await client.query(keyStatsOf(`${name}_filled`));
  await client.query(`DROP TABLE IF EXISTS ${name}`);
  await client.query(`ALTER TABLE ${name}_filled RENAME TO ${name}`);
  await client.query(`ALTER TABLE request_logs ATTACH PARTITION ${name} FOR VALUES FROM ('${first}') TO ('${end}')`);
  await client.query(`VACUUM ANALYZE ${name}`);
}

async function connect(url: string) {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`SET synchronous_commit = off; SET maintenance_work_mem = '256MB'; SET work_mem = '128MB'`);
  return client;
}
