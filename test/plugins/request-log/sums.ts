import pg from 'pg';
import type { Test } from 'tap';

/** How many requests the rows say there were, and how many each kind of statistics. */
export const sums = `
  SELECT (SELECT count(*) FROM request_logs)::int AS rows,
    (SELECT sum(count) FROM request_stats WHERE period = 60)::int AS minutes,
    (SELECT sum(count) FROM request_stats WHERE period = 3600)::int AS hours,
    (SELECT sum(count) FROM request_stats WHERE period = 86400)::int AS days,
    (SELECT sum(bin >> 7) FROM request_stats, unnest(histogram) AS bin WHERE period = 60)::int AS bins`;

/** Holds the statistics to the rows. */
export async function agree(t: Test, url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const { rows, minutes, hours, days, bins } = (await client.query(sums)).rows[0];
    t.strictSame([minutes, hours, days, bins], [rows, rows, rows, rows], 'statistics agree with the rows');
  } finally {
    await client.end();
  }
}
