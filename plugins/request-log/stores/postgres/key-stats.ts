import type { DatabaseHandle } from '../../../database/index.js';
import { type KeyCounts, type KeyStats, type KeyStatsQuery, maxKeys } from '../../key-stats.js';
import { roundedRange } from '../../stats-range.js';
import { conditionOf } from './range-condition.js';

const countsOf = (schema: string, range: string) => `
  WITH counts AS MATERIALIZED (
    SELECT "apiKeyId", $1::int * floor(extract(epoch FROM start) / $1::int) AS at, sum(count)::float8 AS count,
      sum(errors)::float8 AS errors
    FROM ${schema}.request_stats_by_key
    WHERE ${range} AND ($2::text[] IS NULL OR "apiKeyId" = ANY($2))
    GROUP BY 1, 2
  ), busiest AS (
    SELECT "apiKeyId", sum(count) AS total FROM counts GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ${maxKeys}
  )
  SELECT "apiKeyId", at, counts.count, counts.errors FROM counts JOIN busiest USING ("apiKeyId")
  ORDER BY total DESC, 1, 2`;

interface Row {
  apiKeyId: string;
  /** Seconds since 1970. */
  at: string;
  count: number;
  errors: number;
}

/** Requests of keys over time, from the statistics, busiest key first. Keys without requests are left out. */
export async function readKeyStats(
  { pool, quotedSchema }: Pick<DatabaseHandle, 'pool' | 'quotedSchema'>,
  query: KeyStatsQuery,
): Promise<KeyStats> {
  const { from, to, interval, series } = roundedRange(query);
  const { rows } = await pool.query<Row>(countsOf(quotedSchema, conditionOf(series)), [
    interval,
    query.apiKeyIds ?? null,
  ]);
  const keys = new Map<string, KeyCounts>();
  for (const { apiKeyId, at, count, errors } of rows) {
    const key = keys.get(apiKeyId) ?? { apiKeyId, count: 0, errors: 0, series: [] };
    keys.set(apiKeyId, key);
    key.count += count;
    key.errors += errors;
    key.series.push({ start: new Date(Number(at) * 1000), count, errors });
  }
  return { from, to, interval, keys: [...keys.values()] };
}
