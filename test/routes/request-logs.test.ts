import t from 'tap';
import { matcherOf } from '../../plugins/request-log/filter.js';
import { maxGroupedRequests } from '../../plugins/request-log/groups.js';
import { insertOf } from '../../plugins/request-log/stores/postgres/insert.js';
import { clientOf, keyHeaders, startApp } from '../app.js';
import { createTestDatabase } from '../database.js';
import { record } from '../plugins/request-log/records.js';

const app = await startApp(await createTestDatabase());
const admin = await keyHeaders(app, 'admin');
const request = clientOf(app, admin);
const list = async (query: string) => {
  await app.requestLog.flush();
  return (await request('GET', `/v1/request-logs?${query}`)).body;
};

t.test('a request is found by its x-request-id, with its fields', async (t) => {
  const { headers } = await clientOf(app, { ...admin, 'user-agent': 'tester/1' })('GET', '/v1/me?secret=1');
  const { body: me } = await request('GET', '/v1/me');
  await app.requestLog.flush();
  const { status, body } = await request('GET', `/v1/request-logs/${headers['x-request-id']}`);
  t.equal(status, 200);
  t.match(body, {
    id: headers['x-request-id'],
    method: 'GET',
    path: '/v1/me',
    route: '/v1/me',
    statusCode: 200,
    ip: '127.0.0.1',
    userAgent: 'tester/1',
    apiKeyId: me.id,
  });
  t.ok(Number.isInteger(body.duration));
  t.ok(Math.abs(Date.parse(body.createdAt) - Date.now()) < 60_000, 'createdAt is the time of arrival, in UTC');
});

t.test('every filter returns only matching rows', async (t) => {
  await clientOf(app, {})('GET', '/filtered');
  await request('POST', '/filtered');
  const paths = async (query: string) => (await list(query)).data.map((row: { path: string }) => row.path);
  t.strictSame(await paths('path=/filtered'), ['/filtered', '/filtered']);
  t.equal((await list('path=/filtered&method=POST')).data.length, 1);
  t.equal((await list('path=/filtered&statusCode=404')).data.length, 2);
  t.equal((await list('path=/filtered&statusCode=200')).data.length, 0);
  t.equal((await list('path=/filtered&minDuration=100000')).data.length, 0);
  const { body: me } = await request('GET', '/v1/me');
  await request('GET', `/v1/api-keys/${me.id}`);
  t.strictSame(await paths('route=/v1/api-keys/:id'), [`/v1/api-keys/${me.id}`]);
  t.strictSame(await paths('route=&method=POST'), ['/filtered'], 'requests that no route matched');
  const mine = await list(`apiKeyId=${me.id}&limit=500`);
  t.ok(mine.data.length > 0);
  t.ok(mine.data.every((row: { apiKeyId: string }) => row.apiKeyId === me.id));
});

t.test('a class of statuses, a part of the path, a range of durations and a missing key are filters', async (t) => {
  const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
  const { pool } = app.database;
  const rows = [
    { path: '/rare_1/a', statusCode: 200, durationMs: 10, method: 'GET' },
    { path: '/rare_1/b', statusCode: 404, durationMs: 700, method: 'GET' },
    {
      path: '/rareX1/c',
      statusCode: 503,
      durationMs: 900,
      method: 'POST',
      apiKeyId: '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f01',
    },
    { path: '/v1/usage/rare', route: '/v1/usage', statusCode: 499, durationMs: 20, method: 'GET' },
    { path: '/healthz/odd', route: '/healthz', statusCode: 100, durationMs: 1, method: 'GET' },
  ];
  await pool.query(
    insertOf(
      rows.map((row) => record(row)),
      'unprepared',
    ),
  );
  for (const [query, expected] of [
    ['pathPart=rare&statusCode=4xx', ['/v1/usage/rare', '/rare_1/b']],
    ['pathPart=rare&statusCode=>=499', ['/v1/usage/rare', '/rareX1/c']],
    ['pathPart=rare&statusCode=<=404', ['/rare_1/b', '/rare_1/a']],
    ['pathPart=rare&statusCode=503', ['/rareX1/c']],
    ['pathPrefix=/healthz&excludeManagement=true', ['/healthz/odd']],
    ['pathPrefix=/rare', ['/rareX1/c', '/rare_1/b', '/rare_1/a']],
    ['pathPrefix=/rare_', ['/rare_1/b', '/rare_1/a']],
    ['pathPart=rare_1', ['/rare_1/b', '/rare_1/a']],
    ['pathPart=rare&minDuration=15&maxDuration=700', ['/v1/usage/rare', '/rare_1/b']],
    ['pathPart=rare&maxDuration=10', ['/rare_1/a']],
    ['pathPart=rare&hasKey=true', ['/rareX1/c']],
    ['pathPrefix=/rare&hasKey=false', ['/rare_1/b', '/rare_1/a']],
    ['pathPart=rare&excludeManagement=true', ['/rareX1/c', '/rare_1/b', '/rare_1/a']],
    ['pathPart=rare&sort=slowest&from=2026-01-01T00:00:00Z', ['/rareX1/c', '/rare_1/b']],
    [`pathPart=rare&sort=slowest&from=${hourAgo}`, ['/rareX1/c', '/rare_1/b', '/v1/usage/rare', '/rare_1/a']],
    ['pathPart=rare&sort=slowest&from=2026-01-01T00:00:00Z&limit=1', ['/rareX1/c']],
  ] as const) {
    const { data } = await list(query);
    t.strictSame(
      data.map(({ path }: { path: string }) => path),
      expected,
      query,
    );
    // The stream has the same filters.
    const { sort: _, limit: __, from: ___, ...filter } = Object.fromEntries(new URLSearchParams(query));
    const typed = Object.entries(filter).map(([name, value]) => [
      name,
      /^(true|false|\d+)$/.test(value) ? JSON.parse(value) : value,
    ]);
    if (!query.includes('sort'))
      t.strictSame(
        rows
          .map((row) => record(row))
          .filter(matcherOf(Object.fromEntries(typed)))
          .map(({ path }) => path)
          .sort(),
        expected.toSorted(),
        `${query}, in the stream`,
      );
  }
});

t.test(
  'similar requests are grouped, largest group first, and a reading that ends early says since when',
  async (t) => {
    const { pool } = app.database;
    const failed = (n: number, fields: object) =>
      Array.from({ length: n }, () =>
        record({ route: '/grouped/:id', path: '/grouped/1', userAgent: 'grouper', ...fields }),
      );
    const [one, two] = ['019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f01', '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f02'];
    await pool.query(
      insertOf(
        [
          ...failed(2, { statusCode: 503, apiKeyId: one, ip: '203.0.113.1' }),
          ...failed(1, { statusCode: 503, apiKeyId: two, ip: '203.0.113.2' }),
          ...failed(2, { statusCode: 404, ip: '203.0.113.2' }),
          ...failed(5, { statusCode: 200, ip: '203.0.113.3' }),
        ],
        'unprepared',
      ),
    );
    const groups = async (query: string) =>
      (await request('GET', `/v1/request-logs/groups?userAgent=grouper&${query}`)).body;
    const errors = await groups('by=error');
    t.match(errors, {
      readSince: null,
      groups: [
        {
          method: 'GET',
          route: '/grouped/:id',
          statusCode: 503,
          count: 3,
          keyCount: 2,
          firstSeen: /Z$/,
          lastSeen: /Z$/,
        },
        { statusCode: 404, count: 2, keyCount: 0 },
      ],
    });
    t.equal(errors.groups.length, 2);
    t.match((await groups('by=ip')).groups, [
      { ip: '203.0.113.3', count: 5 },
      { ip: '203.0.113.2', count: 3, keyCount: 1 },
      { ip: '203.0.113.1', count: 2 },
    ]);
    t.match((await groups('by=userAgent')).groups, [{ userAgent: 'grouper', count: 10, keyCount: 2 }]);
    t.match((await groups('by=apiKeyId&hasKey=true')).groups, [{ apiKeyId: one }, { apiKeyId: two }]);
    t.match((await groups('by=route&statusCode=200')).groups, [{ route: '/grouped/:id', count: 5 }]);
    for (const [query, field] of [
      ['by=colour', 'by'],
      ['by=ip&from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z', 'from'],
    ] as const)
      t.match(await groups(query), { status: 400, errors: [{ path: `/querystring/${field}` }] });

    t.strictSame((await groups('by=error&statusCode=200')).groups, [], 'successes are no errors');
    t.match((await groups('by=error&statusCode=<=403')).groups, []);

    await pool.query(insertOf(failed(maxGroupedRequests + 1, { userAgent: 'many' }), 'unprepared'));
    const { body } = await request('GET', '/v1/request-logs/groups?by=userAgent&userAgent=many');
    t.match(body, { groups: [{ count: maxGroupedRequests }], readSince: /Z$/ });
  },
);

t.test('a time range includes its start and excludes its end', async (t) => {
  const { headers } = await request('GET', '/in-time');
  const id = headers['x-request-id'];
  const [row] = (await list('path=/in-time')).data;
  const arrived = Date.parse(row.createdAt);
  const at = (offsetMs: number) => new Date(arrived + offsetMs).toISOString();
  const found = async (range: string) =>
    (await list(`path=/in-time&${range}`)).data.some((r: { id: string }) => r.id === id);
  t.equal(await found(`from=${at(0)}&to=${at(1)}`), true);
  t.equal(await found(`from=${at(1)}`), false);
  t.equal(await found(`to=${at(0)}`), false);
  t.equal(await found(`to=${at(0).replace('Z', '-00:01')}`), true, 'a minute later, in another time zone');
});

t.test('pages list every row once, newest first, while rows are added', async (t) => {
  for (let i = 0; i < 7; i++) await request('GET', `/paged/${i}`);
  const listed: string[] = [];
  let { data, nextCursor } = await list('statusCode=404&limit=3');
  for (;;) {
    listed.push(...data.map((row: { id: string }) => row.id));
    if (nextCursor === null) break;
    await request('GET', '/paged/later');
    ({ data, nextCursor } = await list(`statusCode=404&limit=3&cursor=${nextCursor}`));
  }
  t.equal(new Set(listed).size, listed.length);
  t.strictSame(listed, listed.toSorted().reverse());
  t.ok(listed.length >= 7);
});

t.test('the exact statistics of an hour count the requests that the log lists for it', async (t) => {
  for (let i = 0; i < 3; i++) await request('GET', `/in-the-hour/${i}`);
  await app.requestLog.flush();
  const from = new Date(Math.floor((Date.now() - 3_600_000) / 60_000) * 60_000).toISOString();
  // Without the requests of this test for the list itself.
  const query = `from=${from}&excludeManagement=true`;
  let listed = 0;
  for (let cursor = ''; ; ) {
    const { data, nextCursor } = await list(`${query}&limit=500${cursor}`);
    listed += data.length;
    if (nextCursor === null) break;
    cursor = `&cursor=${nextCursor}`;
  }
  const { body } = await request('GET', `/v1/request-logs/stats?exact=true&${query}`);
  t.equal(body.total.count, listed);
  t.ok(listed >= 3);
});

t.test('an unknown id returns 404', async (t) => {
  const response = await request('GET', '/v1/request-logs/019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07');
  t.match(response, { status: 404, body: { code: 'REQUEST_LOG_NOT_FOUND' } });
});

t.test('an invalid filter is rejected with the name of the parameter', async (t) => {
  for (const [query, field] of [
    ['from=yesterday', 'from'],
    ['to=2026-13-01T00:00:00Z', 'to'],
    ['method=get', 'method'],
    ['path=%00', 'path'],
    ['route=%00', 'route'],
    ['statusCode=99', 'statusCode'],
    ['statusCode=6xx', 'statusCode'],
    ['statusCode=>400', 'statusCode'],
    ['pathPart=ab', 'pathPart'],
    ['maxDuration=-1', 'maxDuration'],
    ['hasKey=no', 'hasKey'],
    ['sort=slowest', 'from'],
    ['sort=slowest&from=2026-01-01T00:00:00Z&cursor=019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07', 'cursor'],
    ['minDuration=-1', 'minDuration'],
    ['minDuration=Infinity', 'minDuration'],
    ['limit=1e400', 'limit'],
    ['minDuration=3000000000', 'minDuration'],
    ['apiKeyId=1', 'apiKeyId'],
    ['cursor=1', 'cursor'],
    ['since=1', 'since'],
  ] as const) {
    const { status, body } = await request('GET', `/v1/request-logs?${query}`);
    t.match({ status, errors: body.errors }, { status: 400, errors: [{ path: `/querystring/${field}` }] }, query);
  }
});

t.test('a field with alternatives has one error, which names all of them', async (t) => {
  const { body } = await request('GET', '/v1/request-logs?statusCode=6xx');
  t.match(body.errors, [{ path: '/querystring/statusCode', message: /^must be integer, or must match pattern / }]);
  t.equal(body.errors.length, 1);
});

t.test('only an admin key can read the log', async (t) => {
  t.equal((await clientOf(app, {})('GET', '/v1/request-logs')).status, 401);
  t.equal((await clientOf(app, await keyHeaders(app, 'read'))('GET', '/v1/request-logs')).status, 403);
});
