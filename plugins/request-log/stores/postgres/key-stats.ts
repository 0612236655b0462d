import type { DatabaseHandle } from '../../../database/index.js';
import { type KeyStats, type KeyStatsQuery, keyStatsOf, maxKeys } from '../../key-stats.js';
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

/** Requests of keys over time, from the statistics, busiest key first. Keys without requests are left out. */
export async function readKeyStats(
  { pool, quotedSchema }: Pick<DatabaseHandle, 'pool' | 'quotedSchema'>,
  query: KeyStatsQuery,
): Promise<KeyStats> {
  const range = roundedRange(query);
  const { rows } = await pool.query<{ apiKeyId: string; at: string; count: number; errors: number }>(
    countsOf(quotedSchema, conditionOf(range.series)),
    [range.interval, query.apiKeyIds ?? null],
  );
  return keyStatsOf(range, rows);
}
