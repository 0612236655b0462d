import t from 'tap';
import { uuidv7obj } from 'uuidv7';
import { bucketOf, quantileOf } from '../../plugins/request-log/histogram.js';
import { insertOf } from '../../plugins/request-log/insert.js';
import { firstIdAt } from '../../plugins/request-log/record.js';
import { clientOf, keyHeaders, startApp } from '../app.js';
import { ownDatabase } from '../database.js';
import { record } from '../plugins/request-log/records.js';
import { sums } from '../plugins/request-log/sums.js';

const app = await startApp({ ...(await ownDatabase()), REQUEST_LOG_RETENTION_DAYS: '0' });
const ask = clientOf(app, await keyHeaders(app, 'admin'));

const day = Date.parse('2026-03-01T00:00:00Z');
const minuteMs = 60_000;

/** An id of a request that arrived then. */
function idAt(time: number) {
  return firstIdAt(new Date(time)).slice(0, 14) + uuidv7obj().toString().slice(14);
}

const requests = [
  { at: 0, route: '/a', statusCode: 200, durationMs: 10, apiKeyId: 'one' },
  { at: 30_000, route: '/a', statusCode: 200, durationMs: 20, apiKeyId: 'one' },
  { at: 61 * minuteMs, route: '/a', statusCode: 500, durationMs: 1_000, apiKeyId: 'two' },
  { at: 61 * minuteMs, route: '', statusCode: 404, durationMs: 0.2, apiKeyId: null },
  { at: 24 * 60 * minuteMs, route: '/a', statusCode: 200, durationMs: 1, apiKeyId: 'one' },
].map(({ at, ...fields }) => record({ id: idAt(day + at), ...fields }));

await app.database.pool.query(insertOf(requests, 'prepared'));

const range = 'from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z';
const near = (value: number, expected: number) => value >= expected / 1.2 && value <= expected * 1.2;

t.test('a day is told by interval, route, status and key', async (t) => {
  const { status, body } = await ask('GET', `/v1/request-logs/stats?${range}&interval=3600`);
  t.equal(status, 200);
  t.match(body, {
    from: '2026-03-01T00:00:00.000Z',
    to: '2026-03-02T00:00:00.000Z',
    interval: 3_600,
    total: { count: 4, errors: 1 },
    series: [
      { start: '2026-03-01T00:00:00.000Z', count: 2, errors: 0 },
      { start: '2026-03-01T01:00:00.000Z', count: 2, errors: 1 },
    ],
    routes: [
      { method: 'GET', route: '/a', count: 3, errors: 1 },
      { method: 'GET', route: '', count: 1, errors: 0 },
    ],
    statuses: [
      { statusCode: 200, count: 2 },
      { statusCode: 404, count: 1 },
      { statusCode: 500, count: 1 },
    ],
    keys: [
      { apiKeyId: 'one', count: 2, errors: 0 },
      { apiKeyId: 'two', count: 1, errors: 1 },
    ],
  });
  t.ok(near(body.series[0].p99, 20) && near(body.series[1].p99, 1_000) && near(body.routes[1].p50, 0.2));
});

t.test('minutes, hours and days say the same', async (t) => {
  const { body: byMinute } = await ask('GET', `/v1/request-logs/stats?${range}&interval=60`);
  const { body: byHour } = await ask('GET', `/v1/request-logs/stats?${range}&interval=3600`);
  const { body: byDay } = await ask('GET', `/v1/request-logs/stats?${range}&interval=86400`);
  for (const part of ['total', 'routes', 'statuses', 'keys']) {
    t.strictSame([byMinute[part], byHour[part]], [byDay[part], byDay[part]], part);
  }
  t.match(byMinute.series, [{ start: '2026-03-01T00:00:00.000Z', count: 2 }, { start: '2026-03-01T01:01:00.000Z' }]);
});

t.test('route, method and status filter all that is counted by them', async (t) => {
  const of = async (filter: string) => (await ask('GET', `/v1/request-logs/stats?${range}&${filter}`)).body;
  t.match(await of('route=/a'), { total: { count: 3 }, routes: [{ route: '/a' }], keys: null });
  t.match(await of('route='), { total: { count: 1 }, statuses: [{ statusCode: 404 }] });
  t.match(await of('statusCode=500'), { total: { count: 1, errors: 1 }, series: [{ count: 1 }] });
  t.match(await of('method=POST'), { total: { count: 0, p50: null }, series: [], routes: [], statuses: [] });
});

t.test('without a range it is about the day until now, and the request before this one is in it', async (t) => {
  await app.inject('/');
  for (;;) {
    await app.requestLog.flush();
    const { body } = await ask('GET', '/v1/request-logs/stats');
    t.ok(Date.parse(body.to) >= Date.now() - 1_000);
    if (body.routes.some(({ route }: { route: string }) => route === '/')) break;
  }
});

t.test('the interval is made to fit the range', async (t) => {
  for (const [from, interval] of [
    ['2026-03-01T23:45:00Z', 60],
    ['2026-03-01T18:00:00Z', 300],
    ['2026-03-01T00:00:00Z', 3_600],
    ['2026-02-23T00:00:00Z', 7_200],
    ['2026-01-31T00:00:00Z', 86_400],
    ['2025-03-02T00:00:00Z', 604_800],
  ] as const) {
    const { body } = await ask('GET', `/v1/request-logs/stats?from=${from}&to=2026-03-02T00:00:00Z`);
    t.equal(body.interval, interval, from);
  }
});

t.test('what makes no sense is refused by name', async (t) => {
  for (const [query, field] of [
    ['from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z', /from/],
    ['from=yesterday', /from/],
    ['interval=90', /interval/],
    ['interval=Infinity', /interval must be finite/],
    ['from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z&interval=60', /interval must be at least 3420/],
    ['apiKeyId=x', /apiKeyId|additional/],
  ] as const) {
    const { status, body } = await ask('GET', `/v1/request-logs/stats?${query}`);
    t.equal(status, 400, query);
    t.match(JSON.stringify(body), field);
  }
  t.equal((await clientOf(app, await keyHeaders(app))('GET', '/v1/request-logs/stats')).status, 403);
});

t.test('rows and statistics agree, also when a batch comes twice', async (t) => {
  await app.requestLog.flush();
  const before = (await app.database.pool.query(sums)).rows[0];
  await app.database.pool.query(insertOf([...requests, record()], 'again'));
  const { rows, minutes, hours, days, bins } = (await app.database.pool.query(sums)).rows[0];
  t.equal(rows, before.rows + 1);
  t.strictSame([minutes, hours, days, bins], [rows, rows, rows, rows]);
});

t.test('a bucket is no wider than a fifth, and a percentile lies in its bucket', async (t) => {
  for (let ms = 0.01; ms < 3_600_000; ms *= 1.01) {
    const found = quantileOf(new Map([[bucketOf(ms), 1]]), 1) ?? 0;
    if (found < ms * 0.999_999 || found > ms * 1.2) t.fail(`${ms} ms is ${found} ms`);
  }
  t.strictSame([bucketOf(0), bucketOf(1e12)], [0, 127]);
  const even = new Map(Array.from({ length: 100 }, (_, i) => [bucketOf(1.2 ** (i / 10)), 1] as const));
  t.equal(quantileOf(even, 1), quantileOf(new Map([...even].slice(-1)), 1));
  t.equal(quantileOf(new Map(), 0.5), null);
});
