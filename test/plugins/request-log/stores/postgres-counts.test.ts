import t from 'tap';
import { bucketOf } from '../../../../plugins/request-log/histogram.js';
import type { RequestRecord } from '../../../../plugins/request-log/record.js';
import { insertOf } from '../../../../plugins/request-log/stores/postgres/insert.js';
import { firstIdAt, timeInId } from '../../../../plugins/time-ordered-id.js';
import { startApp } from '../../../app.js';
import { createTestDatabase } from '../../../database.js';
import { record } from '../records.js';

// Compares the statistics, which come from the counts that the service sends, with counts of the records.

const { pool } = (await startApp(await createTestDatabase())).database;
const keys = ['019b8a11-5d20-7b0c-a1c4-0e8f7d6b5a49', '019b8a11-5d20-7b0c-a1c4-0e8f7d6b5a50'] as const;
const midnight = Math.floor(Date.now() / 86_400_000) * 86_400_000;

/** For each kind of statistics: the SQL of what is counted, the rows with the number of each, and what a record adds. */
const kinds = [
  {
    name: 'statuses',
    counted: 'ARRAY[route, method, "statusCode"::text]',
    rows: 'SELECT *, count AS n FROM request_stats',
    of: ({ route, method, statusCode }: RequestRecord) => [[route, method, statusCode]],
  },
  {
    name: 'durations',
    counted: 'ARRAY[route, method, bucket]',
    rows: 'SELECT *, (bin & 127)::text AS bucket, bin >> 7 AS n FROM request_stats, unnest(histogram) AS bin',
    of: ({ route, method, durationMs }: RequestRecord) => [[route, method, bucketOf(durationMs)]],
  },
  {
    name: 'requests of keys',
    counted: '"apiKeyId"',
    rows: 'SELECT *, count AS n FROM request_stats_by_key',
    of: ({ apiKeyId }: RequestRecord) => (apiKeyId === null ? [] : [apiKeyId]),
  },
  {
    name: 'errors of keys',
    counted: '"apiKeyId"',
    rows: 'SELECT *, errors AS n FROM request_stats_by_key WHERE errors > 0',
    of: ({ apiKeyId, statusCode }: RequestRecord) => (apiKeyId === null || statusCode < 500 ? [] : [apiKeyId]),
  },
  {
    name: 'checks',
    counted: 'ARRAY["apiKeyId", "ownerId", outcome]',
    rows: 'SELECT *, count AS n FROM key_usage',
    of: checksOf,
  },
];

t.test('the statistics of batches are those of their records, by minute, hour and day', async (t) => {
  const records = Array.from({ length: 2_000 }, (_, i) => sample(i));
  for (let i = 0; i < records.length; i += 700) await pool.query(insertOf(records.slice(i, i + 700), 'prepared'));
  for (const { name, counted, rows, of } of kinds) {
    const expected: Record<string, number> = {};
    for (const period of [60, 3_600, 86_400]) {
      for (const record of records) {
        const start = Math.floor(timeInId(record.id) / 1_000 / period) * period;
        for (const value of of(record)) {
          const group = JSON.stringify([period, start, Array.isArray(value) ? value.map(String) : value]);
          expected[group] = (expected[group] ?? 0) + 1;
        }
      }
    }
    const stored = await pool.query(
      `SELECT period, extract(epoch FROM start)::int AS start, to_json(${counted}) AS counted, sum(n)::int AS n
       FROM (${rows}) AS rows GROUP BY period, start, ${counted}`,
    );
    const groups = stored.rows.map(({ period, start, counted, n }) => [JSON.stringify([period, start, counted]), n]);
    t.ok(groups.length > 100, name);
    t.strictSame(Object.fromEntries(groups), expected, name);
  }
});

t.test('a histogram has each bucket once', async (t) => {
  const ids = [59_999, 60_000, 60_001].map((ms) => firstIdAt(new Date(midnight - 600_000 + ms)));
  await pool.query(
    insertOf(
      ids.map((id) => record({ id, route: '/once', durationMs: 15 })),
      'prepared',
    ),
  );
  const { rows } = await pool.query(
    `SELECT DISTINCT histogram FROM request_stats WHERE route = '/once' AND period > 60`,
  );
  t.strictSame(rows, [{ histogram: [String((3 << 7) | bucketOf(15))] }]);
});

t.test('requests that differ only in characters that are not stored are counted together', async (t) => {
  const texts = ['/n\0ul', '/nul', '/\ud800', '/\ufffd'];
  const alike = texts.map((text) =>
    record({ route: text, apiKeyId: '019b8a11-5d20-7b0c-a1c4-0e8f7d6b5a51', ownerId: text, outcome: 'VALID' }),
  );
  await pool.query(insertOf(alike, 'prepared'));
  const countsOf = async (table: string, column: string) => {
    const { rows } = await pool.query(
      `SELECT "${column}" AS text, sum(count)::int AS n FROM ${table} WHERE period = 86400 AND "${column}" = ANY ($1)
       GROUP BY 1 ORDER BY 1`,
      [['/nul', '/\ufffd']],
    );
    return rows;
  };
  const expected = [
    { text: '/nul', n: 2 },
    { text: '/\ufffd', n: 2 },
  ];
  t.strictSame(await countsOf('request_stats', 'route'), expected);
  t.strictSame(await countsOf('key_usage', 'ownerId'), expected);
});

/** A record within three hours around midnight. */
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

/** A request that verifies a key has two checks: of its own key, which was valid, and of that key. */
function checksOf({ apiKeyId, ownerId, outcome, verification }: RequestRecord): string[][] {
  const own = verification ? 'VALID' : outcome;
  const checks = apiKeyId !== null && own !== null ? [[apiKeyId, ownerId ?? '', own]] : [];
  if (verification?.apiKeyId) checks.push([verification.apiKeyId, verification.ownerId ?? '', verification.outcome]);
  return checks;
}
