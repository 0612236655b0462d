import { hash } from 'node:crypto';
import { settlementOf, shard } from './charges.js';
import { mergedHistogram } from './roll-up-stats.js';

type Columns = Readonly<Record<string, string>>;

/** The first parameters of the statement: tables whose columns are arrays. Then follow the id of the batch, and the charges. */
const tables = {
  /**
   * One row for each request. `arrived` is in milliseconds. `outcome` and `owner` are about the verified key if the request verified one,
   * otherwise about its own key.
   */
  requests: {
    ...{ id: 'text', method: 'text', path: 'text', status: 'int', duration: 'int', ip: 'text', agent: 'text' },
    ...{ key_id: 'text', arrived: 'bigint', route: 'text', outcome: 'text', owner: 'text', verified_id: 'text' },
    ...{ verification: 'text', trace_id: 'text' },
  },
  /** How many requests had the same route, method, status and bucket in the histogram of durations, by the minute since 1970. */
  durations: { minute: 'bigint', route: 'text', method: 'text', status: 'int', bucket: 'int', n: 'bigint' },
  /** How many requests a key had. `error` is 1 for a status of 500 or more, otherwise 0. */
  keys: { minute: 'bigint', key_id: 'text', error: 'int', n: 'bigint' },
  /** How many checks a key had. A request that verifies a key has two: of its own key, and of that key. */
  checks: { minute: 'bigint', key_id: 'text', owner: 'text', outcome: 'text', n: 'bigint' },
} satisfies Record<string, Columns>;

/**
 * One statement that inserts rows, adds counts to the statistics, and settles charges of quotas. Returns what was used of each charged
 * quota by all replicas (`QuotaTotal`). A batch whose first row exists is stored: nothing of it is added again.
 *
 * @param schema the PostgreSQL schema of the tables, quoted
 */
function insert(schema: string): string {
  let parameters = 0;
  const next = () => `$${++parameters}`;
  const from = (name: keyof typeof tables) => {
    const arrays = Object.values(tables[name]).map((type) => `${next()}::${type}[]`);
    return `unnest(${arrays}) AS ${name} (${Object.keys(tables[name])})`;
  };
  const isNew = 'NOT (SELECT stored FROM earlier)';
  /** Repeats each count three times: for its minute, hour and day. */
  const byPeriod = (name: keyof typeof tables) =>
    `${from(name)} CROSS JOIN (VALUES (60), (3600), (86400)) AS periods (period) WHERE ${isNew}`;
  const start = `timestamp 'epoch' + minute * 60 / period * period * interval '1 second'`;

  const requests = from('requests');
  const durations = byPeriod('durations');
  const keys = byPeriod('keys');
  const checks = byPeriod('checks');
  const batchId = next();
  const settlement = settlementOf(schema, parameters + 1, '(SELECT stored FROM earlier)');
  return `
  WITH earlier AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM ${schema}.request_logs WHERE id = ${batchId}) AS stored
  ), stored AS (
    INSERT INTO ${schema}.request_logs (id, method, path, "statusCode", duration, ip, "userAgent", "apiKeyId", "createdAt", route,
      outcome, "ownerId", "verifiedApiKeyId", verification, "traceId")
    SELECT id, method, path, status, duration, ip, agent, key_id, timestamp 'epoch' + arrived * interval '1 millisecond', route,
      outcome, owner, verified_id, verification::jsonb, trace_id
    FROM ${requests} WHERE ${isNew}
  ), added AS (
    INSERT INTO ${schema}.request_stats AS stats (period, start, route, method, "statusCode", shard, count, histogram)
    SELECT period, start, route, method, status, ${shard}, sum(n), array_agg(n << 7 | bucket) FROM (
      SELECT period, ${start} AS start, route, method, status, bucket, sum(n)::bigint AS n
      FROM ${durations} GROUP BY 1, 2, 3, 4, 5, 6
    ) AS buckets GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (period, start, route, method, "statusCode", shard) DO UPDATE SET
      count = stats.count + excluded.count,
      histogram = ${mergedHistogram}
  ), added_keys AS (
    INSERT INTO ${schema}.request_stats_by_key AS stats (period, start, "apiKeyId", shard, count, errors)
    SELECT period, ${start} AS start, key_id, ${shard}, sum(n), sum(n * error)
    FROM ${keys} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (period, start, "apiKeyId", shard) DO UPDATE SET
      count = stats.count + excluded.count, errors = stats.errors + excluded.errors
  ), added_usage AS (
    INSERT INTO ${schema}.key_usage AS stats (period, start, "apiKeyId", "ownerId", outcome, shard, count)
    SELECT period, ${start} AS start, key_id, owner, outcome, ${shard}, sum(n)
    FROM ${checks} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (period, start, "apiKeyId", "ownerId", outcome, shard) DO UPDATE SET count = stats.count + excluded.count
  ), ${settlement.tables}
  ${settlement.totals}`;
}

/** The statement with a name (prepared) and without (unprepared). */
export type InsertStatement = Record<'prepared' | 'unprepared', { text: string; name?: string }>;

function statementOf(schema: string): InsertStatement {
  const text = insert(schema);
  // The name depends on the text: behind a pooler, versions of the service share the sessions of the server.
  return { prepared: { name: `request-log-insert-${hash('sha256', text).slice(0, 8)}`, text }, unprepared: { text } };
}

/** Cached by schema. */
const statements = new Map<string, InsertStatement>();

/** Returns the statement of a schema. @param schema the PostgreSQL schema of the tables, quoted */
export function insertStatement(schema: string): InsertStatement {
  const known = statements.get(schema) ?? statementOf(schema);
  statements.set(schema, known);
  return known;
}
