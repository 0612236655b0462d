import type { DatabaseHandle } from '../../../database/index.js';
import { roundedRange, type StatsRange } from '../../stats-range.js';
import {
  addUsage,
  type CheckCounts,
  emptyCounts,
  type LimitedKeys,
  maxLimitedKeys,
  maxOwners,
  type OwnerUsage,
  type Usage,
  type UsageQuery,
} from '../../usage.js';
import { conditionOf } from './range-condition.js';

const seriesOf = (schema: string, range: string) => `
  SELECT $1::int * floor(extract(epoch FROM start) / $1::int) AS at, outcome, sum(count)::float8 AS count
  FROM ${schema}.key_usage
  WHERE ${range} AND ($2::text IS NULL OR "apiKeyId" = $2) AND ($3::text IS NULL OR "ownerId" = $3)
  GROUP BY 1, 2 ORDER BY 1, 2`;

const ownersOf = (schema: string, range: string) => `
  WITH counts AS MATERIALIZED (
    SELECT "ownerId", outcome, sum(count)::float8 AS count FROM ${schema}.key_usage
    WHERE ${range} AND "ownerId" <> ''
    GROUP BY 1, 2
  ), busiest AS (
    SELECT "ownerId", sum(count) AS total FROM counts GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ${maxOwners}
  )
  SELECT "ownerId", outcome, counts.count FROM counts JOIN busiest USING ("ownerId") ORDER BY total DESC, 1, 2`;

const limitedOf = (schema: string, range: string) => `
  SELECT "apiKeyId", max("ownerId") AS "ownerId",
    coalesce(sum(count) FILTER (WHERE outcome = 'RATE_LIMITED'), 0)::float8 AS "rateLimited",
    coalesce(sum(count) FILTER (WHERE outcome = 'QUOTA_EXCEEDED'), 0)::float8 AS "quotaExceeded"
  FROM ${schema}.key_usage
  WHERE ${range} AND outcome IN ('RATE_LIMITED', 'QUOTA_EXCEEDED')
  GROUP BY 1 ORDER BY sum(count) DESC, 1 LIMIT ${maxLimitedKeys}`;

type Reader = Pick<DatabaseHandle, 'pool' | 'quotedSchema'>;

/** Checks over time, in total and by interval. Intervals without checks are left out. */
export async function readUsage(
  { pool, quotedSchema }: Reader,
  { apiKeyId, ownerId, ...range }: UsageQuery,
): Promise<Usage> {
  const { from, to, interval, series: pieces } = roundedRange(range);
  const values = [interval, apiKeyId ?? null, ownerId ?? null];
  const { rows } = await pool.query<{ at: string; outcome: string; count: number }>(
    seriesOf(quotedSchema, conditionOf(pieces)),
    values,
  );
  const total = emptyCounts();
  const series = new Map<string, CheckCounts>();
  for (const { at, outcome, count } of rows) {
    const usage = series.get(at) ?? emptyCounts();
    series.set(at, usage);
    for (const each of [total, usage]) addUsage(each, outcome, count);
  }
  const intervals = [...series].map(([at, usage]) => ({ start: new Date(Number(at) * 1_000), ...usage }));
  return { from, to, interval, total, series: intervals };
}

/** The keys that limits and quotas denied most often. */
export async function readLimitedKeys({ pool, quotedSchema }: Reader, range: StatsRange): Promise<LimitedKeys> {
  const { from, to, total } = roundedRange(range);
  const { rows } = await pool.query<{ apiKeyId: string; ownerId: string; rateLimited: number; quotaExceeded: number }>(
    limitedOf(quotedSchema, conditionOf(total)),
  );
  return { from, to, keys: rows.map(({ ownerId, ...key }) => ({ ...key, ownerId: ownerId || null })) };
}

/** The owners with the most checks, busiest first. */
export async function readOwners({ pool, quotedSchema }: Reader, range: StatsRange): Promise<OwnerUsage> {
  const { from, to, total } = roundedRange(range);
  const { rows } = await pool.query<{ ownerId: string; outcome: string; count: number }>(
    ownersOf(quotedSchema, conditionOf(total)),
  );
  const owners = new Map<string, CheckCounts>();
  for (const { ownerId, outcome, count } of rows) {
    const usage = owners.get(ownerId) ?? emptyCounts();
    owners.set(ownerId, usage);
    addUsage(usage, outcome, count);
  }
  return { from, to, owners: [...owners].map(([ownerId, usage]) => ({ ownerId, ...usage })) };
}
