import type { FastifyInstance } from 'fastify';
import { registerGauge } from './register.js';

const days = 7;
const refreshMs = 60_000;

/** Counts the keys that expire soon at most once a minute. A scrape does not wait for the database, and has the last count. */
export function measureExpiringKeys({ metrics, database: { pool, quotedSchema } }: FastifyInstance) {
  const now = `(now() AT TIME ZONE 'UTC')`;
  const query = `
    SELECT count(*)::int AS count FROM ${quotedSchema}.api_keys
    WHERE active AND "replacedBy" IS NULL AND "expiresAt" > ${now} AND "expiresAt" < ${now} + interval '${days} days'`;
  let count = Number.NaN;
  let countedAt = Number.NEGATIVE_INFINITY;

  registerGauge(
    metrics,
    {
      name: 'musicez_keys_expiring',
      help: `API keys that expire within ${days} days and were not rotated; NaN before the first count`,
    },
    () => {
      if (performance.now() - countedAt > refreshMs) {
        countedAt = performance.now();
        pool.query<{ count: number }>(query).then(
          ({ rows }) => {
            count = rows[0]?.count ?? count;
          },
          // The last count stays; other queries report the outage.
          () => {},
        );
      }
      return count;
    },
  );
}
