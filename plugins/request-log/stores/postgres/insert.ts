import { hash } from 'node:crypto';
import type { QueryConfig } from 'pg';
import { timeInId } from '../../../time-ordered-id.js';
import { bucketOf } from '../../histogram.js';
import type { RequestRecord } from '../../record.js';
import { arrayLiteral, SparseColumn, TextColumn } from './array-literal.js';
import { ChargeColumns, settlementOf, shard } from './charges.js';
import { mergedHistogram } from './roll-up-stats.js';

/** Sums counts by the minute into those by the minute, hour and day. The periods are in seconds. */
function byPeriod(minutes: string, columns: string[], counts: string[]): string {
  const groups = ['start', ...columns].map((_, i) => i + 2);
  const sums = counts.map((count) => `sum(${count}) AS ${count}`);
  const longer = (seconds: number) =>
    `SELECT ${seconds} AS period, minute / ${seconds / 60} * ${seconds} AS start, ${[...columns, ...sums]} FROM ${minutes} GROUP BY ${groups}`;
  const shortest = `SELECT 60 AS period, minute * 60 AS start, ${[...columns, ...counts]} FROM ${minutes}`;
  return [shortest, longer(3_600), longer(86_400)].join(' UNION ALL ');
}

/**
 * One statement that inserts rows, adds them to the statistics, and settles their charges of quotas. The time of arrival comes from
 * the id. Returns what was used of each charged quota by all replicas (`QuotaTotal`). A batch whose first row exists is stored:
 * nothing of it is added again.
 *
 * @param schema the PostgreSQL schema of the tables, quoted
 */
function insert(schema: string) {
  const settlement = settlementOf(schema, 18, '(SELECT stored FROM earlier)');
  return `
  WITH earlier AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM ${schema}.request_logs WHERE id = $22) AS stored
  ), batch AS MATERIALIZED (
    SELECT *, arrived / 60000 AS minute
    FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[], $6::text[], $7::text[], $8::text[], $9::bigint[],
      $10::text[], $11::int[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[])
      AS batch (id, method, path, status, duration, ip, agent, key_id, arrived, route, bucket, owner, outcome, verified_id,
        verified_owner, verification, trace_id)
    WHERE NOT (SELECT stored FROM earlier)
  ), stored AS (
    INSERT INTO ${schema}.request_logs (id, method, path, "statusCode", duration, ip, "userAgent", "apiKeyId", "createdAt", route,
      outcome, "ownerId", "verifiedApiKeyId", verification, "traceId")
    SELECT id, method, path, status, duration, ip, agent, key_id, timestamp 'epoch' + arrived * interval '1 millisecond', route,
      outcome, CASE WHEN verification IS NULL THEN owner ELSE verified_owner END, verified_id, verification::jsonb, trace_id
    FROM batch
  ), minutes AS MATERIALIZED (
    SELECT minute, route, method, status, bucket, count(*) AS n FROM batch GROUP BY 1, 2, 3, 4, 5
  ), periods AS (
    ${byPeriod('minutes', ['route', 'method', 'status', 'bucket'], ['n'])}
  ), added AS (
    INSERT INTO ${schema}.request_stats AS stats (period, start, route, method, "statusCode", shard, count, histogram)
    SELECT period, timestamp 'epoch' + start * interval '1 second', route, method, status, ${shard}, sum(n),
      array_agg(n::bigint << 7 | bucket)
    FROM periods GROUP BY period, start, route, method, status ORDER BY period, start, route, method, status
    ON CONFLICT (period, start, route, method, "statusCode", shard) DO UPDATE SET
      count = stats.count + excluded.count,
      histogram = ${mergedHistogram}
  ), keys AS MATERIALIZED (
    SELECT minute, key_id, count(*) AS n, count(*) FILTER (WHERE status >= 500) AS errors
    FROM batch WHERE key_id IS NOT NULL GROUP BY 1, 2
  ), added_keys AS (
  INSERT INTO ${schema}.request_stats_by_key AS stats (period, start, "apiKeyId", shard, count, errors)
  SELECT period, timestamp 'epoch' + start * interval '1 second', key_id, ${shard}, n, errors FROM (
    ${byPeriod('keys', ['key_id'], ['n', 'errors'])}
  ) AS periods ORDER BY period, start, key_id
  ON CONFLICT (period, start, "apiKeyId", shard) DO UPDATE SET
    count = stats.count + excluded.count, errors = stats.errors + excluded.errors
  ), checks AS MATERIALIZED (
    SELECT minute, key_id, owner, outcome, count(*) AS n FROM (
      SELECT minute, key_id, coalesce(owner, '') AS owner, CASE WHEN verification IS NULL THEN outcome ELSE 'VALID' END AS outcome
      FROM batch WHERE key_id IS NOT NULL AND outcome IS NOT NULL
      UNION ALL
      SELECT minute, verified_id, coalesce(verified_owner, ''), outcome FROM batch WHERE verified_id IS NOT NULL
    ) AS checks GROUP BY 1, 2, 3, 4
  ), added_usage AS (
  INSERT INTO ${schema}.key_usage AS stats (period, start, "apiKeyId", "ownerId", outcome, shard, count)
  SELECT period, timestamp 'epoch' + start * interval '1 second', key_id, owner, outcome, ${shard}, n FROM (
    ${byPeriod('checks', ['key_id', 'owner', 'outcome'], ['n'])}
  ) AS periods ORDER BY period, start, key_id, owner, outcome
  ON CONFLICT (period, start, "apiKeyId", "ownerId", outcome, shard) DO UPDATE SET count = stats.count + excluded.count
  ), ${settlement.tables}
  ${settlement.totals}`;
}

function statementsOf(schema: string) {
  const text = insert(schema);
  // The name depends on the text: behind a pooler, versions of the service share the sessions of the server.
  return { prepared: { name: `request-log-insert-${hash('sha256', text).slice(0, 8)}`, text }, unprepared: { text } };
}

/** Cached by schema. */
const statements = new Map<string, ReturnType<typeof statementsOf>>();

/** The largest value of the column, 24 days. A stream can last longer. */
const maxDurationMs = 2 ** 31 - 1;

/**
 * Creates the query that stores `records`. Serializes arrays itself, at a third of the cost of `pg`.
 *
 * @param mode `prepared`: a prepared statement; `unprepared`: behind a pooler that does not keep prepared statements
 * @param schema the PostgreSQL schema of the tables, quoted
 * @param batchId the id of the batch, if a row with this id means that all of it is stored
 */
export function insertOf(
  records: readonly RequestRecord[],
  mode: keyof ReturnType<typeof statementsOf>,
  schema = 'public',
  batchId = records[0]?.id ?? null,
): QueryConfig {
  const known = statements.get(schema) ?? statementsOf(schema);
  statements.set(schema, known);
  const ids: string[] = [];
  const methods: string[] = [];
  const paths = new TextColumn();
  const statuses: number[] = [];
  const durations: number[] = [];
  const ips = new TextColumn();
  const agents = new TextColumn();
  const keyIds = new TextColumn();
  const arrivals: number[] = [];
  const routes = new TextColumn();
  const buckets: number[] = [];
  const owners = new SparseColumn();
  const outcomes = new TextColumn();
  const verifiedIds = new SparseColumn();
  const verifiedOwners = new SparseColumn();
  const verifications = new SparseColumn();
  const traces = new SparseColumn();
  const charges = new ChargeColumns();
  for (let row = 0; row < records.length; row++) {
    const record = records[row] as RequestRecord;
    ids.push(record.id);
    methods.push(record.method);
    paths.push(record.path);
    statuses.push(record.statusCode);
    durations.push(Math.min(Math.round(record.durationMs), maxDurationMs));
    ips.push(record.ip);
    agents.push(record.userAgent);
    keyIds.push(record.apiKeyId);
    arrivals.push(timeInId(record.id));
    routes.push(record.route);
    buckets.push(bucketOf(record.durationMs));
    const { ownerId, verification } = record;
    for (const charge of record.charges) charges.push(charge);
    if (ownerId !== null) owners.set(row, ownerId);
    if (record.traceId !== null) traces.set(row, record.traceId);
    outcomes.push(verification?.outcome ?? record.outcome);
    if (!verification) continue;
    if (verification.apiKeyId !== null) verifiedIds.set(row, verification.apiKeyId);
    if (verification.ownerId !== null) verifiedOwners.set(row, verification.ownerId);
    verifications.set(row, JSON.stringify(verification.client));
  }
  const plain = [ids, methods].map(arrayLiteral);
  return {
    ...known[mode],
    values: [
      ...plain,
      paths.toLiteral(),
      arrayLiteral(statuses),
      arrayLiteral(durations),
      ips.toLiteral(),
      agents.toLiteral(),
      keyIds.toLiteral(),
      arrayLiteral(arrivals),
      routes.toLiteral(),
      arrayLiteral(buckets),
      ...[owners, outcomes, verifiedIds, verifiedOwners, verifications, traces].map((column) => column.toLiteral()),
      ...charges.toLiterals(),
      batchId,
    ],
  };
}

/**
 * Whether an error means that the server session has changed, as behind a pooler in transaction mode: a prepared statement is missing,
 * or exists unexpectedly.
 */
export function isPreparedStatementError(error: unknown): boolean {
  return ['26000', '42P05'].includes(String((error as { code?: unknown }).code));
}
