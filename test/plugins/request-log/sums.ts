import type pg from 'pg';
import type { Test } from 'tap';

const periods = [60, 3_600, 86_400];

/** The number of rows, of rows with a key, of checks of keys, and the totals of each kind of statistics. */
const sums = `
  SELECT count(*)::int AS rows, count("apiKeyId")::int AS keyed,
    ARRAY(SELECT (SELECT sum(count) FROM request_stats WHERE period = p)::int FROM unnest($1::int[]) AS p) AS counts,
    ARRAY(SELECT (SELECT sum(bin >> 7) FROM request_stats, unnest(histogram) AS bin WHERE period = p)::int
      FROM unnest($1::int[]) AS p) AS bins,
    ARRAY(SELECT coalesce((SELECT sum(count) FROM request_stats_by_key WHERE period = p), 0)::int
      FROM unnest($1::int[]) AS p) AS "byKey",
    (count(*) FILTER (WHERE "apiKeyId" IS NOT NULL AND outcome IS NOT NULL) + count("verifiedApiKeyId"))::int AS checks,
    ARRAY(SELECT coalesce((SELECT sum(count) FROM key_usage WHERE period = p), 0)::int
      FROM unnest($1::int[]) AS p) AS usage
  FROM request_logs`;

/**
 * Checks that the statistics match the rows.
 *
 * @returns the number of rows
 */
export async function checkStatistics(t: Test, database: pg.Pool | pg.Client): Promise<number> {
  const { rows, keyed, checks, counts, bins, byKey, usage } = (await database.query(sums, [periods])).rows[0];
  const each = (n: number) => periods.map(() => n);
  t.strictSame(
    { counts, bins, byKey, usage },
    { counts: each(rows), bins: each(rows), byKey: each(keyed), usage: each(checks) },
    'the statistics match the rows',
  );
  return rows;
}
