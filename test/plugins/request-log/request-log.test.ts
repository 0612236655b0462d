import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import type { FastifyRequest } from 'fastify';
import pino from 'pino';
import t from 'tap';
import { Spool } from '../../../plugins/request-log/spool/index.js';
import { RequestLogWriter } from '../../../plugins/request-log/writer.js';
import { buildApp } from '../../../src/app.js';
import { loadConfig } from '../../../src/config/index.js';
import { createTestDatabase } from '../../database.js';
import { writerStore } from './records.js';

// These tests use real sockets, because `inject` cannot disconnect.

const app = await buildApp(
  loadConfig({ LOG_LEVEL: 'silent', REQUEST_LOG_FLUSH_MS: '20', ...(await createTestDatabase()) }),
);
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

function countsAddUp() {
  const { accepted, written, buffered, spooled, dropped } = app.requestLog.counts;
  return accepted === written + buffered + spooled + dropped;
}

t.test('every request with a response has one row, also unknown routes, denied and malformed requests', async (t) => {
  const base = `http://127.0.0.1:${port}`;
  const responses = [
    await fetch(`${base}/once?token=1`),
    await fetch(`${base}/v1/me`),
    await fetch(`${base}/%zz`),
    await fetch(`${base}/v1/api-keys/${'x'.repeat(500)}`),
  ];
  const ids = responses.map(({ headers }) => headers.get('x-request-id') as string);
  await app.requestLog.flush();
  const { rows } = await app.database.pool.query(
    'SELECT path, "statusCode" FROM request_logs WHERE id = ANY ($1) ORDER BY id',
    [ids],
  );
  t.strictSame(rows, [
    { path: '/once', statusCode: 404 },
    { path: '/v1/me', statusCode: 401 },
    { path: '/%zz', statusCode: 400 },
    { path: `/v1/api-keys/${'x'.repeat(500)}`, statusCode: 414 },
  ]);
  t.ok(countsAddUp());
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
  t.test(`${name} whose client disconnects is one row with status 499`, async (t) => {
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
    t.ok(countsAddUp());
  });
}

t.test('a long path and a long user agent are truncated to 1,024 characters', async (t) => {
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

t.test('a DATA_DIR that is not writable is reported at the start, with the consequence', async (t) => {
  const file = join(t.testdir({ file: '' }), 'file');
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => void lines.push(line) });
  const spool = new Spool({ directory: join(file, 'spool'), maxBytes: 1_000 }, log);
  const writer = new RequestLogWriter(
    writerStore(app.database, log),
    spool,
    { flushIntervalMs: 10, bufferRows: 10 },
    log,
  );
  await writer.start();
  t.equal(spool.isWritable, false);
  t.match(lines, [/DATA_DIR cannot be written: while the database is down, records/]);
  await writer.close();
  t.equal(app.requestLog.isSpoolWritable, true);
});
