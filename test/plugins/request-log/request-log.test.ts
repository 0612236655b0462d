import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import type { FastifyRequest } from 'fastify';
import t from 'tap';
import { buildApp } from '../../../src/app.js';
import { loadConfig } from '../../../src/config/index.js';
import { ownDatabase } from '../../database.js';

// Real sockets: what happens to a request whose client goes away cannot be injected.

const app = await buildApp(loadConfig({ LOG_LEVEL: 'silent', REQUEST_LOG_FLUSH_MS: '20', ...(await ownDatabase()) }));
t.teardown(() => app.close());
const arrivals = new EventEmitter();
app.all('/slow', async (request) => {
  const gone = once(request.raw.socket, 'close');
  arrivals.emit('request', request);
  await gone;
  return 'too late';
});
await app.listen({ port: 0, host: '127.0.0.1' });
await app.database.ready;
const { port } = app.server.address() as AddressInfo;

async function rowsOf(path: string) {
  await app.requestLog.flush();
  const { rows } = await app.database.pool.query('SELECT * FROM request_logs WHERE path = $1 ORDER BY id', [path]);
  return rows;
}

function holds() {
  const { accepted, written, buffered, spooled, dropped } = app.requestLog.counts;
  return accepted === written + buffered + spooled + dropped;
}

t.test('every answered request has one row, also the 404s, the refused and the malformed', async (t) => {
  const base = `http://127.0.0.1:${port}`;
  const answers = [
    await fetch(`${base}/once?token=1`),
    await fetch(`${base}/v1/me`),
    await fetch(`${base}/%zz`),
    await fetch(`${base}/v1/api-keys/${'x'.repeat(200)}`),
  ];
  const ids = answers.map(({ headers }) => headers.get('x-request-id') as string);
  await app.requestLog.flush();
  const { rows } = await app.database.pool.query(
    'SELECT path, "statusCode" FROM request_logs WHERE id = ANY ($1) ORDER BY id',
    [ids],
  );
  t.strictSame(rows, [
    { path: '/once', statusCode: 404 },
    { path: '/v1/me', statusCode: 401 },
    { path: '/%zz', statusCode: 400 },
    { path: `/v1/api-keys/${'x'.repeat(200)}`, statusCode: 414 },
  ]);
  t.ok(holds());
});

t.test('probes and metrics are not logged', async (t) => {
  const before = app.requestLog.counts.accepted;
  for (const path of ['/livez', '/readyz', '/readyz?verbose', '/metrics'])
    await fetch(`http://127.0.0.1:${port}${path}`);
  t.equal(app.requestLog.counts.accepted, before);
});

const get = 'GET /slow?gone=1 HTTP/1.1\r\nHost: x\r\nUser-Agent: leaver\r\n\r\n';
const post = 'POST /slow HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';

for (const { name, text, requests } of [
  { name: 'a GET', text: get, requests: 1 },
  { name: 'a POST whose body has arrived', text: post, requests: 1 },
  { name: 'each of three requests in a pipeline', text: get + post + get, requests: 3 },
]) {
  t.test(`${name} whose client goes away is one row with status 499`, async (t) => {
    const before = (await rowsOf('/slow')).length;
    const arrived = Array.from({ length: requests }, () => once(arrivals, 'request'));
    const socket = connect(port, '127.0.0.1').on('connect', () => socket.write(text));
    for (let i = 0; i < requests; i++) await arrived[i];
    const [request] = (await arrived[0]) as [FastifyRequest];
    const closed = once(request.raw.socket, 'close');
    socket.destroy();
    await closed;
    const rows = (await rowsOf('/slow')).slice(before);
    t.equal(rows.length, requests);
    t.ok(rows.every((row) => row.statusCode === 499 && row.ip === '127.0.0.1'));
    t.ok(holds());
  });
}

t.test('a path and a user agent of any length are cut to what an index can hold', async (t) => {
  const path = `/${'x'.repeat(6_000)}`;
  const socket = connect(port, '127.0.0.1').on('connect', () => {
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nUser-Agent: ${'"\\'.repeat(1_000)}\r\nConnection: close\r\n\r\n`,
      'latin1',
    );
  });
  socket.resume();
  await once(socket, 'close');
  const [row] = await rowsOf(path.slice(0, 1_024));
  t.equal(row?.userAgent, '"\\'.repeat(512));
});
