import { EventEmitter, once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { FastifyRequest } from 'fastify';
import t from 'tap';
import { Tail } from '../../plugins/request-log/tail.js';
import { keyHeaders, startApp } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { record } from '../plugins/request-log/records.js';

skipFileOnEmbedded();

const app = await startApp(await createTestDatabase());
const admin = await keyHeaders(app, 'admin');
await app.listen({ port: 0, host: '127.0.0.1' });
const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;

interface Event {
  name: string;
  id: string | undefined;
  data: { path?: string; count?: number; [field: string]: unknown };
}

/** Subscribes to the stream. `next` resolves with the next event. */
async function listen(query = '', headers: Record<string, string> = admin) {
  const outgoing = get(`${url}/v1/request-logs/stream${query}`, { headers });
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const parts = response.setEncoding('utf8')[Symbol.asyncIterator]();
  let [whole, rest]: [whole: string[], rest: string] = [[], ''];
  const next = async (): Promise<Event | undefined> => {
    for (;;) {
      const lines = whole.shift()?.split('\n');
      if (lines === undefined) {
        const { value, done } = await parts.next();
        if (done) return undefined;
        whole = `${rest}${value}`.split('\n\n');
        rest = whole.pop() ?? '';
        continue;
      }
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const name = field('event');
      if (name) return { name, id: field('id'), data: JSON.parse(field('data') ?? 'null') };
    }
  };
  return { response, next, close: () => outgoing.destroy() };
}

t.test('a request is streamed after its response, with the fields of its row', async (t) => {
  const { response, next, close } = await listen();
  t.match(response.headers, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const received = await fetch(`${url}/streamed?secret=1`, { headers: { 'user-agent': 'streamed' } });
  const id = received.headers.get('x-request-id') ?? '';
  let event = await next();
  while (event && event.id !== id) event = await next();
  t.match(event, { name: 'request', data: { id, path: '/streamed', statusCode: 404, userAgent: 'streamed' } });
  close();
  await app.requestLog.flush();
  const row = await app.inject({ url: `/v1/request-logs/${id}`, headers: admin });
  t.strictSame({ ...event?.data, traceUrl: null }, row.json());
});

t.test('a stream can be filtered', async (t) => {
  const { next, close } = await listen('?path=/wanted&method=GET&statusCode=404');
  for (const path of ['/other', '/wanted', '/other', '/wanted']) await fetch(url + path);
  t.equal((await next())?.data.path, '/wanted');
  t.equal((await next())?.data.path, '/wanted');
  close();

  const ofRoute = await listen('?route=/v1/request-logs/:id');
  const unknown = '/v1/request-logs/019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07';
  for (const path of ['/v1/request-logs', unknown]) await fetch(url + path);
  t.match((await ofRoute.next())?.data, { path: unknown, route: '/v1/request-logs/:id' });
  ofRoute.close();
});

t.test('a slow client gets the number of missed requests', async (t) => {
  const tail = new Tail(({ path }) => path !== '/other', 3);
  tail.push([record({ path: '/other' }), ...Array.from({ length: 5 }, () => record())]);
  const { records, missed } = await tail.next(60_000);
  t.strictSame([records.length, missed], [3, 2]);
  t.strictSame(await tail.next(0), { records: [], missed: 0 });

  const { response, next, close } = await listen('?method=PUT');
  response.pause();
  // More than the buffers of the sockets, while the client does not read.
  const flood = { method: 'PUT' as const, url: `/${'x'.repeat(1_500)}`, headers: { 'user-agent': 'x'.repeat(1_000) } };
  const sent = 8_000;
  for (let i = 0; i < sent; i++) {
    await app.inject(flood);
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await app.requestLog.flush();
  response.resume();
  const received = { request: 0, missed: 0 };
  while (received.request + received.missed < sent) {
    const event = await next();
    if (event?.name === 'request') received.request++;
    else received.missed += event?.data.count ?? 0;
  }
  t.equal(received.request + received.missed, sent);
  t.ok(received.missed > 0 && received.request >= 1_000, JSON.stringify(received));
  close();
});

t.test('a stream ends when its key is revoked', async (t) => {
  const { id, key } = await app.apiKeys.create({ name: 'watcher', scopes: ['admin'] });
  const { next } = await listen('?path=/never', { 'x-api-key': key });
  await app.apiKeys.update(id, { active: false }, { actor: 'service' });
  t.equal(await next(), undefined);
});

t.test('a client that disconnects before the response leaves no subscription', async (t) => {
  const { push } = Tail.prototype;
  const received = new Set<Tail>();
  t.intercept(Tail.prototype, 'push', {
    value(this: Tail, records: Parameters<typeof push>[0]) {
      received.add(this);
      return push.call(this, records);
    },
  });
  const path = '/v1/request-logs/stream?path=/nobody';
  const head = `GET ${path} HTTP/1.1\r\nHost: x\r\n`;
  for (let i = 0; i < 10; i++) {
    // The key is not cached, so authentication queries the database.
    const { key } = await app.apiKeys.create({ name: 'hasty', scopes: ['admin'] });
    const arrived = once(app.server, 'request');
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(`${head}X-API-Key: ${key}\r\n\r\n`);
    const [request] = (await arrived) as [IncomingMessage];
    socket.destroy();
    await once(request.socket, 'close');
  }
  // A stream that has started checks twice a second whether its client is connected.
  do {
    received.clear();
    await app.inject('/nobody');
    await app.requestLog.flush();
  } while (received.size > 0);
});

t.test('a stream without events ends when its client disconnects, not at the next event', async (t) => {
  const checks = new EventEmitter();
  const { recheckKey } = app.apiKeys;
  t.intercept(app.apiKeys, 'recheckKey', {
    value(request: FastifyRequest, scope: string) {
      checks.emit(String(request.raw.url), request);
      return recheckKey(request, scope);
    },
  });
  const [left, other] = ['/v1/request-logs/stream?path=/left', '/v1/request-logs/stream?path=/other'];
  const begun = once(checks, left);
  const { close } = await listen('?path=/left');
  const [request] = (await begun) as [FastifyRequest];
  const gone = once(request.raw.socket, 'close');
  close();
  await gone;

  let checksAfterClose = 0;
  checks.on(left, () => checksAfterClose++);
  const { close: closeOther } = await listen('?path=/other');
  // Each stream is checked twice a second.
  for (let i = 0; i < 3; i++) await once(checks, other);
  closeOther();
  t.equal(checksAfterClose, 0);
});

t.test('a HEAD request gets a response and leaves no subscription', async (t) => {
  const rechecks = t.capture(app.apiKeys, 'recheckKey', app.apiKeys.recheckKey);
  const received = await app.inject({ method: 'HEAD', url: '/v1/request-logs/stream', headers: admin });
  t.match(received, { statusCode: 200, body: '', headers: { 'content-type': 'text/event-stream' } });
  const { next, close } = await listen('?path=/after');
  await fetch(`${url}/after`);
  await next();
  close();
  t.notOk(rechecks().some(({ args: [request] }) => request.method === 'HEAD'));
});

t.test('only admin keys can subscribe, and only with valid filters', async (t) => {
  const statusOf = async (query: string, headers: object) =>
    (await fetch(`${url}/v1/request-logs/stream${query}`, { headers: { ...headers } })).status;
  t.equal(await statusOf('', {}), 401);
  t.equal(await statusOf('', await keyHeaders(app)), 403);
  t.equal(await statusOf('?from=2026-01-01T00:00:00Z', admin), 400);
});

t.test('an open stream does not prevent the shutdown', async (t) => {
  const own = await startApp(await createTestDatabase());
  await own.listen({ port: 0, host: '127.0.0.1' });
  const { port } = own.server.address() as AddressInfo;
  const outgoing = get(`http://127.0.0.1:${port}/v1/request-logs/stream`, { headers: await keyHeaders(own, 'admin') });
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const ended = once(response.resume(), 'end');
  await own.close();
  await ended;
  t.pass();
});
