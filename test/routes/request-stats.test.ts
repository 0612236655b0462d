import t from 'tap';
import { uuidv7obj } from 'uuidv7';
import { bucketOf, quantileOf } from '../../plugins/request-log/histogram.js';
import { insertOf } from '../../plugins/request-log/stores/postgres/insert.js';
import { PartitionMaintenance } from '../../plugins/request-log/stores/postgres/partition-maintenance.js';
import { firstIdAt } from '../../plugins/time-ordered-id.js';
import { clientOf, keyHeaders, startApp } from '../app.js';
import { createTestDatabase } from '../database.js';
import { record } from '../plugins/request-log/records.js';
import { checkStatistics } from '../plugins/request-log/sums.js';

const app = await startApp({ ...(await createTestDatabase()), REQUEST_LOG_RETENTION_DAYS: '0' });
const send = clientOf(app, await keyHeaders(app, 'admin'));

const day = Date.parse('2026-03-01T00:00:00Z');
const minuteMs = 60_000;

/** Creates the id of a request that arrived at this time. */
function idAt(time: number) {
  return firstIdAt(new Date(time)).slice(0, 14) + uuidv7obj().toString().slice(14);
}

const [one, two] = ['019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f01', '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f02'];
const requests = [
  { at: 0, route: '/a', statusCode: 200, durationMs: 10, apiKeyId: one },
  { at: 30_000, route: '/a', statusCode: 200, durationMs: 20, apiKeyId: one },
  { at: 61 * minuteMs, route: '/a', statusCode: 500, durationMs: 1_000, apiKeyId: two },
  { at: 61 * minuteMs, route: '', statusCode: 404, durationMs: 0.2, apiKeyId: null },
  { at: 24 * 60 * minuteMs, route: '/a', statusCode: 200, durationMs: 1, apiKeyId: one },
].map(({ at, ...fields }) => record({ id: idAt(day + at), ...fields }));

await app.database.pool.query(insertOf(requests, 'unprepared'));

const range = 'from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z';
type Route = { route: string; p99: number };
const near = (value: number, expected: number) => value >= expected / 1.2 && value <= expected * 1.2;

t.test('a day has statistics by interval, route, status and key', async (t) => {
  const { status, body } = await send('GET', `/v1/request-logs/stats?${range}&interval=3600`);
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
      { apiKeyId: one, count: 2, errors: 0 },
      { apiKeyId: two, count: 1, errors: 1 },
    ],
  });
  t.ok(near(body.series[0].p99, 20) && near(body.series[1].p99, 1_000) && near(body.routes[1].p50, 0.2));
});

t.test('totals are the same for intervals of a minute, an hour and a day', async (t) => {
  const { body: byMinute } = await send('GET', `/v1/request-logs/stats?${range}&interval=60`);
  const { body: byHour } = await send('GET', `/v1/request-logs/stats?${range}&interval=3600`);
  const { body: byDay } = await send('GET', `/v1/request-logs/stats?${range}&interval=86400`);
  for (const part of ['total', 'routes', 'statuses', 'keys']) {
    t.strictSame([byMinute[part], byHour[part]], [byDay[part], byDay[part]], part);
  }
  t.match(byMinute.series, [{ start: '2026-03-01T00:00:00.000Z', count: 2 }, { start: '2026-03-01T01:01:00.000Z' }]);
});

t.test('filters by route, method and status apply to all statistics by these fields', async (t) => {
  const of = async (filter: string) => (await send('GET', `/v1/request-logs/stats?${range}&${filter}`)).body;
  t.match(await of('route=/a'), { total: { count: 3 }, routes: [{ route: '/a' }], keys: null });
  t.match(await of('route='), { total: { count: 1 }, statuses: [{ statusCode: 404 }] });
  t.match(await of('statusCode=500'), { total: { count: 1, errors: 1 }, series: [{ count: 1 }] });
  t.match(await of('method=POST'), { total: { count: 0, p50: null }, series: [], routes: [], statuses: [] });
});

t.test('an exact range has the requests of its minutes only, whatever the interval', async (t) => {
  const of = async (query: string) => (await send('GET', `/v1/request-logs/stats?exact=true&${query}`)).body;
  const late = await of('from=2026-03-01T00:01:20Z&to=2026-03-02T00:01:20Z');
  t.match(late, {
    from: '2026-03-01T00:01:00.000Z',
    to: '2026-03-02T00:02:00.000Z',
    interval: 600,
    total: { count: 3, errors: 1, statusClasses: { '2xx': 1, '4xx': 1, '5xx': 1 } },
    series: [
      { start: '2026-03-01T01:00:00.000Z', count: 2, statusClasses: { '4xx': 1, '5xx': 1 } },
      { start: '2026-03-02T00:00:00.000Z', count: 1, statusClasses: { '2xx': 1 } },
    ],
    routes: [{ count: 2 }, { count: 1 }],
    keys: [{ count: 1 }, { count: 1 }],
  });
  t.match(await of('from=2026-02-01T00:01:00Z&to=2026-03-01T01:02:00Z'), {
    interval: 21_600,
    total: { count: 4 },
    series: [{ start: '2026-03-01T00:00:00.000Z', count: 4 }],
    statuses: [{ count: 2 }, { count: 1 }, { count: 1 }],
  });
  t.match(await of('from=2026-03-01T00:00:00Z&to=2026-03-01T01:01:00Z'), { interval: 60, total: { count: 2 } });
  for (const route of ['usage/owners', 'usage/limited', 'request-logs/stats/keys'])
    t.match((await send('GET', `/v1/${route}?exact=true&from=2026-03-01T00:01:20Z&to=2026-03-01T00:02:00Z`)).body, {
      from: '2026-03-01T00:01:00.000Z',
    });
});

t.test('a class of statuses is a filter, and reads of the management API can be left out', async (t) => {
  const of = async (query: string) => (await send('GET', `/v1/request-logs/stats?${range}&${query}`)).body;
  t.match(await of('statusCode=4xx'), { total: { count: 1 }, keys: null });
  t.match(await of('statusCode=>=400'), { total: { count: 2, errors: 1 } });
  const at = day + 10 * 24 * 60 * minuteMs;
  const routes = ['/v1/request-logs/stats', '/v1/api-keys', '/v1/api-keys', '/v1/me'];
  const records = routes.map((route, i) => record({ id: idAt(at), route, method: i === 2 ? 'POST' : 'GET' }));
  await app.database.pool.query(insertOf(records, 'unprepared'));
  const later = 'from=2026-03-11T00:00:00Z&to=2026-03-12T00:00:00Z&excludeManagement=true';
  const { body } = await send('GET', `/v1/request-logs/stats?${later}`);
  t.match(body, { total: { count: 2 }, keys: [] });
  t.strictSame(body.routes.map(({ route }: Route) => route).sort(), ['/v1/api-keys', '/v1/me']);
});

t.test('each key has its own counts and errors over time', async (t) => {
  const of = async (rest: string) => (await send('GET', `/v1/request-logs/stats/keys?${range}&${rest}`)).body;
  const busiest = await of('interval=3600');
  t.match(busiest, { from: '2026-03-01T00:00:00.000Z', to: '2026-03-02T00:00:00.000Z', interval: 3_600 });
  t.strictSame(busiest.keys, [
    { apiKeyId: one, count: 2, errors: 0, series: [{ start: '2026-03-01T00:00:00.000Z', count: 2, errors: 0 }] },
    { apiKeyId: two, count: 1, errors: 1, series: [{ start: '2026-03-01T01:00:00.000Z', count: 1, errors: 1 }] },
  ]);
  const minutes = 'from=2026-03-01T01:00:00Z&to=2026-03-01T02:00:00Z&interval=60';
  const { body: byMinute } = await send('GET', `/v1/request-logs/stats/keys?${minutes}`);
  t.match(byMinute.keys, [{ apiKeyId: two, series: [{ start: '2026-03-01T01:01:00.000Z', count: 1 }] }]);
  t.strictSame((await of(`apiKeyId=${two}&apiKeyId=019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f03`)).keys, [busiest.keys[1]]);
});

t.test('the default range is the last day and includes the previous request', async (t) => {
  await app.inject('/');
  for (;;) {
    await app.requestLog.flush();
    const { body } = await send('GET', '/v1/request-logs/stats');
    t.ok(Date.parse(body.to) >= Date.now() - 1_000);
    if (body.routes.some(({ route }: { route: string }) => route === '/')) break;
  }
});

t.test('the default interval depends on the range', async (t) => {
  for (const [from, interval] of [
    ['2026-03-01T23:45:00Z', 60],
    ['2026-03-01T18:00:00Z', 300],
    ['2026-03-01T00:00:00Z', 3_600],
    ['2026-02-23T00:00:00Z', 7_200],
    ['2026-01-31T00:00:00Z', 86_400],
    ['2025-03-02T00:00:00Z', 604_800],
  ] as const) {
    const { body } = await send('GET', `/v1/request-logs/stats?from=${from}&to=2026-03-02T00:00:00Z`);
    t.equal(body.interval, interval, from);
  }
});

t.test('an invalid parameter is rejected with its name, and keys without admin are denied', async (t) => {
  for (const [query, field] of [
    ['from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z', /"path":"\/querystring\/from","message":"must be before/],
    ['from=yesterday', /from/],
    ['interval=90', /interval/],
    ['interval=Infinity', /interval must be finite/],
    [
      'from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z&interval=60',
      /"path":"\/querystring\/interval","message":"must be at least 3420/,
    ],
    ['apiKeyId=x', /apiKeyId|additional/],
  ] as const) {
    const { status, body } = await send('GET', `/v1/request-logs/stats?${query}`);
    t.equal(status, 400, query);
    t.match(JSON.stringify(body), field);
  }
  for (const [query, field] of [
    ['apiKeyId=x', /apiKeyId/],
    ['from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z', /from/],
    [`${range}&interval=60`, /interval must be at least 480/],
    ['route=/a', /route/],
  ] as const) {
    const { status, body } = await send('GET', `/v1/request-logs/stats/keys?${query}`);
    t.equal(status, 400, query);
    t.match(JSON.stringify(body), field);
  }
  const sendWithoutScope = clientOf(app, await keyHeaders(app));
  for (const path of ['/v1/request-logs/stats', '/v1/request-logs/stats/keys'])
    t.equal((await sendWithoutScope('GET', path)).status, 403);
});

t.test('rows and statistics match, also when a batch is inserted twice', async (t) => {
  await app.requestLog.flush();
  const before = await checkStatistics(t, app.database.pool);
  await app.database.pool.query(insertOf(requests, 'unprepared'));
  t.equal(await checkStatistics(t, app.database.pool), before);
});

t.test('the shards of several processes are merged for past periods, without a change of the statistics', async (t) => {
  const { pool } = app.database;
  const at = Date.now() - 2 * 24 * 60 * minuteMs;
  const batches = [1, 2, 3].map((n) =>
    Array.from({ length: n }, () =>
      record({ id: idAt(at), route: '/folded', durationMs: n, apiKeyId: 'folder', outcome: 'VALID' }),
    ),
  );
  for (const [shard, batch] of batches.entries()) {
    await pool.query(insertOf(batch, 'unprepared'));
    // As if written by processes with their own shards.
    for (const table of ['request_stats', 'request_stats_by_key', 'key_usage'])
      await pool.query(`UPDATE ${table} SET shard = $1 WHERE shard < 16 AND start BETWEEN $2 AND $3`, [
        20 + shard,
        new Date(at - 86_400_000),
        new Date(at),
      ]);
  }
  const shards = async () =>
    (await pool.query(`SELECT count(*)::int AS n FROM request_stats WHERE route = '/folded' AND period = 60`)).rows[0]
      .n;
  const readStats = async () =>
    (await send('GET', `/v1/request-logs/stats?route=/folded&from=${new Date(at - 86_400_000).toISOString()}`)).body
      .total;
  const before = await readStats();
  t.match(before, { count: 6 });
  t.equal(await shards(), 3);
  const { failures } = await new PartitionMaintenance(
    app.database,
    { retentionDays: 0, statsRetentionDays: 0, eventsRetentionDays: 0 },
    app.log,
  ).run();
  t.equal(failures, 0);
  t.equal(await shards(), 1);
  t.strictSame(await readStats(), before);
  await checkStatistics(t, pool);
});

t.test('a day can have more requests than a 32-bit integer can count', async (t) => {
  const at = day + 2 * 24 * 60 * minuteMs;
  const full = 2 ** 31 - 1;
  // Fills every shard, because this process writes to any of them.
  await app.database.pool.query(
    `WITH shards AS (SELECT timestamp '2026-03-03' AS start, shard, ${full} AS n FROM generate_series(0, 15) AS shard),
      by_key AS (INSERT INTO request_stats_by_key SELECT 86400, start, 'busy', shard, n, n FROM shards)
     INSERT INTO request_stats SELECT 86400, start, '/busy', 'GET', 200, shard, n, '{}' FROM shards`,
  );
  const one = record({ id: idAt(at), route: '/busy', apiKeyId: 'busy' });
  await app.database.pool.query(insertOf([one], 'unprepared'));
  const range = 'from=2026-03-03T00:00:00Z&to=2026-03-04T00:00:00Z&interval=86400';
  const { body } = await send('GET', `/v1/request-logs/stats?${range}`);
  t.match(body.keys, [{ apiKeyId: 'busy', count: 16 * full + 1, errors: 16 * full }]);
  t.match(body.statuses, [{ statusCode: 200, count: 16 * full + 1 }]);
});

t.test('a bucket is at most 20 % wide, and a quantile is in its bucket', async (t) => {
  for (let ms = 0.01; ms < 3_600_000; ms *= 1.01) {
    const found = quantileOf(new Map([[bucketOf(ms), 1]]), 1) ?? 0;
    if (found < ms * 0.999_999 || found > ms * 1.2) t.fail(`${ms} ms is ${found} ms`);
  }
  t.strictSame([bucketOf(0), bucketOf(1e12)], [0, 127]);
  const even = new Map(Array.from({ length: 100 }, (_, i) => [bucketOf(1.2 ** (i / 10)), 1] as const));
  t.equal(quantileOf(even, 1), quantileOf(new Map([...even].slice(-1)), 1));
  t.equal(quantileOf(new Map(), 0.5), null);
});

t.test('minutes are accepted only within their retention, and hours cover the time before it', async (t) => {
  const appWithRetention = await startApp({ ...(await createTestDatabase()), REQUEST_LOG_RETENTION_DAYS: '1' });
  const send = clientOf(appWithRetention, await keyHeaders(appWithRetention, 'admin'));
  await appWithRetention.database.pool.query(insertOf(requests, 'unprepared'));
  const maintenance = new PartitionMaintenance(
    appWithRetention.database,
    { retentionDays: 1, statsRetentionDays: 0, eventsRetentionDays: 0 },
    appWithRetention.log,
  );
  await maintenance.run();
  const hours = 'from=2026-03-01T00:00:00Z&to=2026-03-01T03:00:00Z';
  for (const part of ['', '/keys']) {
    const statsUrl = `/v1/request-logs/stats${part}?${hours}`;
    const { body } = await send('GET', statsUrl);
    t.equal(body.interval, 3_600);
    const counts: number[] = (part ? body.keys : body.routes).map(({ count }: { count: number }) => count);
    t.equal(
      counts.reduce((sum, count) => sum + count, 0),
      part ? 3 : 4,
      part,
    );
    const { status, body: problem } = await send('GET', `${statsUrl}&interval=120`);
    t.equal(status, 400);
    t.match(problem.errors, [{ path: '/querystring/interval', message: /^must be whole hours before / }]);
  }
});

t.test('durations of streams and exports do not affect the percentiles of other requests', async (t) => {
  const at = day + 30 * 24 * 60 * minuteMs;
  const of = (route: string, durationMs: number) => record({ id: idAt(at), route, durationMs });
  await app.database.pool.query(
    insertOf(
      [of('/a', 10), of('/v1/request-logs/stream', 600_000), of('/v1/request-logs/export', 60_000)],
      'unprepared',
    ),
  );
  const range = 'from=2026-03-31T00:00:00Z&to=2026-03-31T01:00:00Z';
  const { body } = await send('GET', `/v1/request-logs/stats?${range}`);
  t.equal(body.total.count, 3);
  t.ok(near(body.total.p99, 10) && near(body.series[0].p99, 10), JSON.stringify(body.total));
  t.ok(body.routes.some(({ route, p99 }: Route) => route.endsWith('/stream') && near(p99, 600_000)));
  const { body: stream } = await send('GET', `/v1/request-logs/stats?${range}&route=/v1/request-logs/stream`);
  t.ok(
    near(stream.total.p99, 600_000) && near(stream.series[0].p99, 600_000),
    'the percentiles of a stream are available by its route',
  );
});
