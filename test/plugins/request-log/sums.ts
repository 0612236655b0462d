import type pg from 'pg';
import type { Test } from 'tap';

const periods = [60, 3_600, 86_400];

/** How many requests the rows say there were, how many of them had a key, and how many each kind of statistics has. */
const sums = `
  SELECT count(*)::int AS rows, count("apiKeyId")::int AS keyed,
    ARRAY(SELECT (SELECT sum(count) FROM request_stats WHERE period = p)::int FROM unnest($1::int[]) AS p) AS counts,
    ARRAY(SELECT (SELECT sum(bin >> 7) FROM request_stats, unnest(histogram) AS bin WHERE period = p)::int
      FROM unnest($1::int[]) AS p) AS bins,
    ARRAY(SELECT coalesce((SELECT sum(count) FROM request_stats_by_key WHERE period = p), 0)::int
      FROM unnest($1::int[]) AS p) AS "byKey"
  FROM request_logs`;

/**
 * Holds the statistics to the rows.
 *
 * @returns how many rows there are
 */
export async function agree(t: Test, database: pg.Pool | pg.Client): Promise<number> {
  const { rows, keyed, counts, bins, byKey } = (await database.query(sums, [periods])).rows[0];
  const each = (n: number) => periods.map(() => n);
  t.strictSame({ counts, bins, byKey }, { counts: each(rows), bins: each(rows), byKey: each(keyed) }, 'sums agree');
  return rows;
}
