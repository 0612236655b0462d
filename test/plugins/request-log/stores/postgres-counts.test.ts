import t from 'tap';
import { bucketOf } from '../../../../plugins/request-log/histogram.js';
import type { RequestRecord } from '../../../../plugins/request-log/record.js';
import { insertOf } from '../../../../plugins/request-log/stores/postgres/insert.js';
import { firstIdAt } from '../../../../plugins/time-ordered-id.js';
import { startApp } from '../../../app.js';
import { createTestDatabase } from '../../../database.js';
import { record } from '../records.js';

// The service counts the requests of a batch. Here the database counts its rows.

const { database } = await startApp(await createTestDatabase());
const keys = ['019b8a11-5d20-7b0c-a1c4-0e8f7d6b5a49', '019b8a11-5d20-7b0c-a1c4-0e8f7d6b5a50'] as const;
const midnight = Math.floor(Date.now() / 86_400_000) * 86_400_000;
const periods = '(VALUES (60), (3600), (86400)) AS periods (period)';
const startOf = (time: string) =>
  `timestamp 'epoch' + floor(extract(epoch FROM ${time}) / period) * period * interval '1 second'`;

/** What the statistics should be, and what they are. */
const queries = [
  {
    name: 'by route, method and status',
    expected: `SELECT period, ${startOf('"createdAt"')} AS start, route, method, "statusCode", count(*)::int AS count
      FROM request_logs, ${periods} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5`,
    stored: `SELECT period, start, route, method, "statusCode", count::int FROM request_stats ORDER BY 1, 2, 3, 4, 5`,
  },
  {
    name: 'by key',
    expected: `SELECT period, ${startOf('"createdAt"')} AS start, "apiKeyId", count(*)::int AS count,
        (count(*) FILTER (WHERE "statusCode" >= 500))::int AS errors
      FROM request_logs, ${periods} WHERE "apiKeyId" IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
    stored: `SELECT period, start, "apiKeyId", count::int, errors::int FROM request_stats_by_key ORDER BY 1, 2, 3`,
  },
];

t.test('the statistics of batches are those of their rows, by minute, hour and day', async (t) => {
  const records = Array.from({ length: 2_000 }, (_, i) => sample(i));
  for (let i = 0; i < records.length; i += 700)
    await database.pool.query(insertOf(records.slice(i, i + 700), 'prepared'));
  for (const { name, expected, stored } of queries) {
    const { rows } = await database.pool.query(stored);
    t.ok(rows.length > 100, name);
    t.strictSame(rows, (await database.pool.query(expected)).rows, name);
  }
  for (const period of [60, 3_600, 86_400]) {
    t.strictSame(
      await storedChecks(period),
      count(records.flatMap((record) => checksOf(record, period))),
      `checks by ${period} s`,
    );
    t.strictSame(
      await storedBuckets(period),
      count(
        records.map(
          ({ route, durationMs, ...record }) => `${startIn(period, record)} ${route} ${bucketOf(durationMs)}`,
        ),
      ),
      `durations by ${period} s`,
    );
  }
});

t.test('requests that differ only in characters that are not stored are counted together', async (t) => {
  const routes = ['/n\0ul', '/nul', '/\ud800', '/\ufffd'];
  const alike = routes.flatMap((route) => [0, 1].map(() => record({ route })));
  await database.pool.query(insertOf(alike, 'prepared'));
  const { rows } = await database.pool.query(
    `SELECT route, count::int FROM request_stats WHERE period = 60 AND route = ANY ($1) ORDER BY route`,
    [['/nul', '/\ufffd']],
  );
  t.strictSame(rows, [
    { route: '/nul', count: 4 },
    { route: '/\ufffd', count: 4 },
  ]);
});

/** Within three hours around midnight. */
function sample(i: number): RequestRecord {
  const pick = <T>(values: readonly T[], step: number) => values[Math.floor(i / step) % values.length] as T;
  const time = new Date(midnight + ((i * 7_919) % 180) * 60_000 - 90 * 60_000);
  const apiKeyId = pick([null, ...keys], 1);
  const hasVerification = i % 5 === 0 && apiKeyId !== null;
  return record({
    id: firstIdAt(time).slice(0, -12) + String(i).padStart(12, '0'),
    method: pick(['GET', 'POST'], 2),
    route: pick(['/a', '/b', '', '/"quoted\\"'], 3),
    statusCode: pick([200, 404, 500], 7),
    durationMs: (i % 50) ** 2,
    apiKeyId,
    ownerId: pick([null, 'owner', 'other, "owner"'], 5),
    outcome: apiKeyId && pick(['VALID', 'EXPIRED', null], 4),
    verification: hasVerification
      ? { apiKeyId: pick([null, ...keys], 11), ownerId: pick([null, 'customer'], 2), outcome: 'DISABLED', client: {} }
      : null,
  });
}

function startIn(period: number, { id }: Pick<RequestRecord, 'id'>) {
  const seconds = Number.parseInt(id.replace('-', '').slice(0, 12), 16) / 1000;
  return Math.floor(seconds / period) * period;
}

/** A request that verifies a key has two checks: of its own key, which was valid, and of that key. */
function checksOf({ id, apiKeyId, ownerId, outcome, verification }: RequestRecord, period: number): string[] {
  const check = (key: string, owner: string | null, outcome: string) =>
    `${startIn(period, { id })} ${key} ${owner ?? ''} ${outcome}`;
  const own = verification ? 'VALID' : outcome;
  const checks = apiKeyId !== null && own !== null ? [check(apiKeyId, ownerId, own)] : [];
  if (verification?.apiKeyId) checks.push(check(verification.apiKeyId, verification.ownerId, verification.outcome));
  return checks;
}

function count(texts: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const text of texts.toSorted()) counts[text] = (counts[text] ?? 0) + 1;
  return counts;
}

async function storedChecks(period: number) {
  const { rows } = await database.pool.query(
    `SELECT concat_ws(' ', extract(epoch FROM start)::bigint, "apiKeyId", "ownerId", outcome) AS name, count::int
     FROM key_usage WHERE period = $1 ORDER BY name`,
    [period],
  );
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}

async function storedBuckets(period: number) {
  const { rows } = await database.pool.query(
    `SELECT concat_ws(' ', extract(epoch FROM start)::bigint, route, bin & 127) AS name, sum(bin >> 7)::int AS count
     FROM request_stats, unnest(histogram) AS bin WHERE period = $1 GROUP BY 1 ORDER BY 1`,
    [period],
  );
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}
