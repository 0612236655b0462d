import type { DatabaseHandle } from '../../../database/index.js';
import { roundedRange, type StatsRange } from '../../stats-range.js';
import {
  type LimitedKeys,
  limitedKeysOf,
  maxLimitedKeys,
  maxOwners,
  type OwnerUsage,
  ownersOf,
  type Usage,
  type UsageQuery,
  usageOf,
} from '../../usage.js';
import { conditionOf } from './range-condition.js';

const seriesOf = (schema: string, range: string) => `
  SELECT $1::int * floor(extract(epoch FROM start) / $1::int) AS at, outcome, sum(count)::float8 AS count
  FROM ${schema}.key_usage
  WHERE ${range} AND ($2::text IS NULL OR "apiKeyId" = $2) AND ($3::text IS NULL OR "ownerId" = $3)
  GROUP BY 1, 2 ORDER BY 1, 2`;

const ownersQueryOf = (schema: string, range: string) => `
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
  { apiKeyId, ownerId, ...query }: UsageQuery,
): Promise<Usage> {
  const range = roundedRange(query);
  const { rows } = await pool.query<{ at: string; outcome: string; count: number }>(
    seriesOf(quotedSchema, conditionOf(range.series)),
    [range.interval, apiKeyId ?? null, ownerId ?? null],
  );
  return usageOf(range, rows);
}

/** The keys that limits and quotas denied most often. */
export async function readLimitedKeys({ pool, quotedSchema }: Reader, query: StatsRange): Promise<LimitedKeys> {
  const range = roundedRange(query);
  const { rows } = await pool.query<{ apiKeyId: string; ownerId: string; rateLimited: number; quotaExceeded: number }>(
    limitedOf(quotedSchema, conditionOf(range.total)),
  );
  return limitedKeysOf(range, rows);
}

/** The owners with the most checks, busiest first. */
export async function readOwners({ pool, quotedSchema }: Reader, query: StatsRange): Promise<OwnerUsage> {
  const range = roundedRange(query);
  const { rows } = await pool.query<{ ownerId: string; outcome: string; count: number }>(
    ownersQueryOf(quotedSchema, conditionOf(range.total)),
  );
  return ownersOf(range, rows);
}
