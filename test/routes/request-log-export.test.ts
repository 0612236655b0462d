import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { uuidv7 } from 'uuidv7';
import { clientOf, keyHeaders, startApp } from '../app.js';
import { ownDatabase } from '../database.js';
import { heapUsed } from '../heap.js';

const app = await startApp(await ownDatabase());
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

const exported = async (query: string) => app.inject({ url: `/v1/request-logs/export?${query}`, headers });

t.test('ndjson has every row once, oldest first, over as many pages as it takes', async (t) => {
  const answer = await exported('format=ndjson&to=2100-01-01T00:00:00Z&minDuration=0');
  t.match(answer.headers, {
    'content-type': 'application/x-ndjson',
    'content-disposition': 'attachment; filename="request-logs.ndjson"',
  });
  const lines = answer.body
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

t.test('csv quotes what needs it, and holds no formula', async (t) => {
  const answer = await exported('format=csv&path=/row/7');
  t.equal(answer.headers['content-type'], 'text/csv; charset=utf-8');
  t.equal(
    answer.body.replace(/\d{4}-[^,]*Z/, 'TIME'),
    `id,createdAt,method,path,statusCode,duration,ip,userAgent,apiKeyId,route\n${rows[7]?.id},TIME,GET,/row/7,200,7,127.0.0.1,"'=1+1,""\n\\é",,/row/:n\n`,
  );
});

t.test('it takes the filters of the list', async (t) => {
  const { body } = await exported('format=ndjson&statusCode=500&minDuration=2490');
  t.strictSame(
    body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).path),
    ['/row/2490', '/row/2495'],
  );
  t.equal((await exported('format=ndjson&path=/nowhere')).body, '');
  t.equal((await exported('format=csv&path=/nowhere')).body.split('\n').length, 2);
});

t.test('what makes no sense is refused by name, and so is who may not', async (t) => {
  for (const [query, path] of [
    ['', '/querystring/format'],
    ['format=xml', '/querystring/format'],
    ['format=csv&limit=5', '/querystring/limit'],
    ['format=csv&from=yesterday', '/querystring/from'],
  ] as const) {
    const answer = await exported(query);
    t.match({ status: answer.statusCode, errors: answer.json().errors }, { status: 400, errors: [{ path }] }, query);
  }
  const other = clientOf(app, await keyHeaders(app, 'read'));
  t.equal((await other('GET', '/v1/request-logs/export?format=csv')).status, 403);
});

t.test('a slow reader makes it wait rather than pile up, and one that goes away ends it', async (t) => {
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
  let most = 0;
  // What the sockets take is soon read; from then on nothing may happen.
  for (let i = 0; i < 10; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    most = Math.max(most, await heapUsed());
  }
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (Math.floor(bytes / 10e6) !== Math.floor((bytes - chunk.length) / 10e6)) most = Math.max(most, await heapUsed());
  }
  t.ok(bytes > 15_000 * 4_000);
  t.ok(
    most - before < 20e6,
    `${Math.round((most - before) / 1e6)} MB more for a file of ${Math.round(bytes / 1e6)} MB`,
  );

  const abandoned = get({ port, path: '/v1/request-logs/export?format=ndjson&path=/bulk', headers });
  await once(abandoned, 'response');
  abandoned.destroy();
  await app.requestLog.flush();
  while ((await app.prisma.requestLog.count({ where: { statusCode: 499 } })) === 0) await app.requestLog.flush();
  t.equal((await app.inject('/health')).statusCode, 200);
});
