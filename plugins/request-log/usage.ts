import type { DatabaseHandle } from '../database/index.js';
import { roundedRange, type StatsRange } from './stats-range.js';

/** Checks of a key or of all keys of an owner: those that are given must match. */
export interface UsageQuery extends StatsRange {
  apiKeyId?: string | undefined;
  ownerId?: string | undefined;
}

interface Usage {
  /** All checks. */
  count: number;
  /** Checks by outcome, such as `VALID`. Outcomes without checks are left out. */
  outcomes: Record<string, number>;
}

/** The largest number of owners in one response. */
export const maxOwners = 100;
/** The largest number of limited keys in one response. */
export const maxLimitedKeys = 100;

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
export async function usageOf({ pool, quotedSchema }: Reader, { apiKeyId, ownerId, ...range }: UsageQuery) {
  const { from, to, interval, series: condition } = roundedRange(range);
  const values = [interval, apiKeyId ?? null, ownerId ?? null];
  const { rows } = await pool.query<{ at: string; outcome: string; count: number }>(
    seriesOf(quotedSchema, condition),
    values,
  );
  const total = emptyUsage();
  const series = new Map<string, Usage>();
  for (const { at, outcome, count } of rows) {
    const usage = series.get(at) ?? emptyUsage();
    series.set(at, usage);
    for (const each of [total, usage]) add(each, outcome, count);
  }
  const intervals = [...series].map(([at, usage]) => ({ start: new Date(Number(at) * 1_000), ...usage }));
  return { from, to, interval, total, series: intervals };
}

/** The keys that limits and quotas denied most often. */
export async function limitedKeysOf({ pool, quotedSchema }: Reader, range: StatsRange) {
  const { from, to, total } = roundedRange(range);
  const { rows } = await pool.query<{ apiKeyId: string; ownerId: string; rateLimited: number; quotaExceeded: number }>(
    limitedOf(quotedSchema, total),
  );
  return { from, to, keys: rows.map(({ ownerId, ...key }) => ({ ...key, ownerId: ownerId || null })) };
}

/** The owners with the most checks, busiest first. */
export async function busiestOwnersOf({ pool, quotedSchema }: Reader, range: StatsRange) {
  const { from, to, total } = roundedRange(range);
  const { rows } = await pool.query<{ ownerId: string; outcome: string; count: number }>(ownersOf(quotedSchema, total));
  const owners = new Map<string, Usage>();
  for (const { ownerId, outcome, count } of rows) {
    const usage = owners.get(ownerId) ?? emptyUsage();
    owners.set(ownerId, usage);
    add(usage, outcome, count);
  }
  return { from, to, owners: [...owners].map(([ownerId, usage]) => ({ ownerId, ...usage })) };
}

function emptyUsage(): Usage {
  return { count: 0, outcomes: {} };
}

function add(usage: Usage, outcome: string, count: number) {
  usage.count += count;
  usage.outcomes[outcome] = (usage.outcomes[outcome] ?? 0) + count;
}
