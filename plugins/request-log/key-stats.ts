import type pg from 'pg';
import { type StatsRange, wholeIntervals } from './stats-range.js';

export interface KeyStatsQuestion extends StatsRange {
  /** Of which keys; if not given, of the busiest. */
  apiKeyIds?: readonly string[] | undefined;
}

/** How many keys one question is about at most. */
export const mostKeys = 100;

const countsOf = `
  WITH counts AS MATERIALIZED (
    SELECT "apiKeyId", $4::int * floor(extract(epoch FROM start) / $4::int) AS at, sum(count)::float8 AS count,
      sum(errors)::float8 AS errors
    FROM request_stats_by_key
    WHERE period = $1 AND start >= $2 AND start < $3 AND ($5::text[] IS NULL OR "apiKeyId" = ANY($5))
    GROUP BY 1, 2
  ), busiest AS (
    SELECT "apiKeyId", sum(count) AS total FROM counts GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ${mostKeys}
  )
  SELECT "apiKeyId", at, counts.count, counts.errors FROM counts JOIN busiest USING ("apiKeyId")
  ORDER BY total DESC, 1, 2`;

interface KeyCounts {
  apiKeyId: string;
  count: number;
  /** Answers from 500 on. */
  errors: number;
  /** Intervals that had requests, the earliest first. */
  series: { start: Date; count: number; errors: number }[];
}

interface Row {
  apiKeyId: string;
  /** Seconds since 1970. */
  at: string;
  count: number;
  errors: number;
}

/** How many requests keys made over time, from the statistics: the busiest first, keys without requests not at all. */
export async function keyStatsOf(pool: pg.Pool, question: KeyStatsQuestion) {
  const { from, to, interval, parameters } = wholeIntervals(question);
  const { rows } = await pool.query<Row>(countsOf, [...parameters, interval, question.apiKeyIds ?? null]);
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
