import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { uuidv7 } from 'uuidv7';
import { clientOf, keyHeaders, startApp } from '../app.js';
import { createTestDatabase, skipOnEmbedded } from '../database.js';
import { heapUsed } from '../heap.js';

const app = await startApp(await createTestDatabase());
const headers = await keyHeaders(app, 'admin');

const odd = '=1+1,"\n\\é';
const rows = Array.from({ length: 2_500 }, (_, i) => ({
  id: uuidv7(),
  method: 'GET',
  path: `/row/${i}`,
  statusCode: i % 5 === 0 ? 500 : 200,
  duration: i,
  ip: '127.0.0.1',
  userAgent: i === 7 ? odd : null,
  createdAt: new Date(),
  route: '/row/:n',
}));
await app.prisma.requestLog.createMany({ data: rows });

const exportRows = async (query: string) => app.inject({ url: `/v1/request-logs/export?${query}`, headers });

t.test('ndjson has every row once, oldest first, across several pages', async (t) => {
  const response = await exportRows('format=ndjson&to=2100-01-01T00:00:00Z&minDuration=0');
  t.match(response.headers, {
    'content-type': 'application/x-ndjson',
    'content-disposition': 'attachment; filename="request-logs.ndjson"',
  });
  const lines = response.body
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const ours = lines.filter(({ path }) => path.startsWith('/row/'));
  t.strictSame(
    ours.map(({ id }) => id),
    rows.map(({ id }) => id).sort(),
  );
  t.equal(ours.find(({ userAgent }) => userAgent).userAgent, odd);
  t.match(ours[0], { createdAt: /^\d{4}-.*Z$/, statusCode: 500, apiKeyId: null });
});

t.test('csv quotes special characters and contains no formula', async (t) => {
  const response = await exportRows('format=csv&path=/row/7');
  t.equal(response.headers['content-type'], 'text/csv; charset=utf-8');
  t.equal(
    response.body.replace(/\d{4}-[^,]*Z/, 'TIME'),
    `id,createdAt,method,path,statusCode,duration,ip,userAgent,apiKeyId,route,outcome,ownerId,verifiedApiKeyId,verification,traceId\n${rows[7]?.id},TIME,GET,/row/7,200,7,127.0.0.1,"'=1+1,""\n\\é",,/row/:n,,,,,\n`,
  );
});

t.test('csv contains no formula for spreadsheets with another separator either', async (t) => {
  const agents = ['x;=HYPERLINK("http://evil")', 'x; +1', 'x|@SUM(1)', 'x;-1', 'plain; text'];
  for (const agent of agents) await app.inject({ url: '/formula', headers: { 'user-agent': agent } });
  await app.requestLog.flush();
  const { body } = await exportRows('format=csv&path=/formula');
  t.equal(body.trim().split('\n').length, agents.length + 1);
  t.notMatch(body, /[;|\t]\s*[=+@-]/);
  t.match(body, 'plain; text');
});

t.test('rows are found by a part of the user agent', async (t) => {
  const { body } = await exportRows('format=ndjson&path=/formula&userAgent=PLAIN;');
  t.equal(body.trim().split('\n').length, 1);
  t.equal((await exportRows('format=ndjson&path=/formula&userAgent=pl%25in')).body, '', 'as text, not as a pattern');
});

t.test('the export accepts the filters of the list', async (t) => {
  const { body } = await exportRows('format=ndjson&statusCode=500&minDuration=2490');
  t.strictSame(
    body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).path),
    ['/row/2490', '/row/2495'],
  );
  t.equal((await exportRows('format=ndjson&path=/nowhere')).body, '');
  t.equal((await exportRows('format=csv&path=/nowhere')).body.split('\n').length, 2);
});

t.test('invalid parameters are reported by name, and keys without admin are denied', async (t) => {
  for (const [query, path] of [
    ['', '/querystring/format'],
    ['format=xml', '/querystring/format'],
    ['format=csv&limit=5', '/querystring/limit'],
    ['format=csv&from=yesterday', '/querystring/from'],
  ] as const) {
    const response = await exportRows(query);
    t.match(
      { status: response.statusCode, errors: response.json().errors },
      { status: 400, errors: [{ path }] },
      query,
    );
  }
  const other = clientOf(app, await keyHeaders(app, 'read'));
  t.equal((await other('GET', '/v1/request-logs/export?format=csv')).status, 403);
});

t.test(
  'an export waits for a slow reader, and ends when the reader disconnects',
  { skip: skipOnEmbedded },
  async (t) => {
    await app.prisma.$executeRawUnsafe(
      `INSERT INTO request_logs (id, method, path, "statusCode", duration, ip, "userAgent")
     SELECT '00000000-0000-7000-8000-' || lpad(i::text, 12, '0'), 'GET', '/bulk', 200, 1, '', repeat('x', 4000)
     FROM generate_series(1, 15000) AS i`,
    );
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address() as AddressInfo;
    const before = await heapUsed();
    const request = get({ port, path: '/v1/request-logs/export?format=ndjson&path=/bulk', headers });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let peak = 0;
    // The buffers of the sockets are full soon. From then on the export must wait.
    for (let i = 0; i < 10; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      peak = Math.max(peak, await heapUsed());
    }
    let bytes = 0;
    for await (const chunk of response) {
      bytes += chunk.length;
      if (Math.floor(bytes / 10e6) !== Math.floor((bytes - chunk.length) / 10e6))
        peak = Math.max(peak, await heapUsed());
    }
    t.ok(bytes > 15_000 * 4_000);
    t.ok(
      peak - before < 20e6,
      `${Math.round((peak - before) / 1e6)} MB more for a file of ${Math.round(bytes / 1e6)} MB`,
    );

    const abandoned = get({ port, path: '/v1/request-logs/export?format=ndjson&path=/bulk', headers });
    await once(abandoned, 'response');
    abandoned.destroy();
    await app.requestLog.flush();
    while ((await app.prisma.requestLog.count({ where: { statusCode: 499 } })) === 0) await app.requestLog.flush();
    t.equal((await app.inject('/health')).statusCode, 200);
  },
);
