import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { startApp } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { freePort } from '../process.js';
import { needsHaproxy, startHaproxy } from './haproxy.js';
import { proxies } from './proxy-processes.js';

skipFileOnEmbedded();

const app = await startApp({ ...(await createTestDatabase()), TRUST_PROXY: '127.0.0.1' });
await app.listen({ port: 0, host: '127.0.0.1' });
const musicez = addressOf(app.server.address());
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Starts an upstream behind the proxy, which records its requests. */
async function startUpstream(t: Test) {
  const received: { method: string | undefined; headers: IncomingMessage['headers']; body: string }[] = [];
  const server = createServer({ maxHeaderSize: 65_536 }, async (request, response) => {
    received.push({ method: request.method, headers: request.headers, body: await text(request) });
    response.end('from the upstream');
  });
  server.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close().closeAllConnections());
  return { received, address: addressOf(server.address()) };
}

for (const proxy of proxies) {
  t.test(`${proxy.name} allows and denies requests as musicez decides`, { skip: proxy.skip }, async (t) => {
    const upstream = await startUpstream(t);
    const url = await proxy.start(t, musicez, upstream.address);
    const send = (path: string, headers: Record<string, string>, init: RequestInit = {}) =>
      fetch(url + path, { ...init, headers });
    const forged = {
      'x-api-key-id': 'forged',
      'x-api-key-name': 'forged',
      'x-api-key-scopes': 'admin',
      'x-api-key-owner': 'forged',
      // CGI, WSGI and similar interfaces read these as the names above.
      x_api_key_id: 'forged',
      'x-api_key-scopes': 'admin',
    };

    t.test('a valid key passes, and the upstream gets its identity, but no forged headers and no key', async (t) => {
      const { id, key } = await app.apiKeys.create({
        name: 'shop ✓',
        scopes: ['orders:read', 'b'],
        ownerId: 'Käufer 1',
      });
      const ways: Record<string, string>[] = [{ 'x-api-key': key }, { authorization: `Bearer ${key}` }];
      for (const presented of ways) {
        upstream.received.length = 0;
        const response = await send('/orders', { ...presented, ...forged });
        t.equal(response.status, 200);
        t.equal(await response.text(), 'from the upstream');
        const headers = upstream.received[0]?.headers;
        t.match(headers, {
          'x-api-key-id': id,
          'x-api-key-name': 'shop %E2%9C%93',
          'x-api-key-scopes': 'orders:read b',
          'x-api-key-owner': 'K%C3%A4ufer 1',
        });
        t.strictSame([headers?.authorization, headers?.['x-api-key']], [undefined, undefined]);
        t.notMatch(Object.keys(headers ?? {}).join(), '_');
      }
      const ownerless = await app.apiKeys.create({ name: 'ownerless', scopes: ['orders:read'] });
      await send('/orders', { 'x-api-key': ownerless.key, ...forged });
      t.notOk(upstream.received.at(-1)?.headers['x-api-key-owner'], 'the header of the client is removed');
    });

    t.test('large headers and WebSocket upgrades pass, and an h2c upgrade does not', async (t) => {
      const { key } = await app.apiKeys.create({ name: 'large', scopes: ['orders:read'] });
      const large = { cookie: `c=${'x'.repeat(7_500)}`, 'x-one': 'x'.repeat(5_000), 'x-two': 'x'.repeat(5_000) };
      t.equal((await send('/orders', { ...large, 'x-api-key': key })).status, 200);
      t.equal((await send('/orders', { ...large, 'x-api-key': generateKey('mez') })).status, 401);
      const { hostname, port } = new URL(url);
      const upgrading = request({
        ...{ hostname, port, path: '/socket' },
        headers: { 'x-api-key': key, connection: 'Upgrade', upgrade: 'websocket' },
      });
      upgrading.end();
      const [response] = (await once(upgrading, 'upgrade')) as [IncomingMessage];
      t.equal(response.statusCode, 101);
      response.socket.destroy();
      upstream.received.length = 0;
      const other = request({
        ...{ hostname, port, path: '/socket' },
        headers: { 'x-api-key': key, connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': '' },
      });
      other.end();
      const [refused] = (await once(other, 'response')) as [IncomingMessage];
      refused.resume();
      t.ok(
        upstream.received.every(({ headers }) => headers.upgrade === undefined),
        'no upgrade to h2c reaches the upstream',
      );
    });

    t.test('a denial reaches the client with its status, Retry-After and WWW-Authenticate', async (t) => {
      const { key } = await app.apiKeys.create({ name: 'limited', scopes: ['orders:read'], rateLimitPerMinute: 1 });
      t.equal((await send('/orders', { 'x-api-key': key })).status, 200);
      const limited = await send('/orders', { 'x-api-key': key });
      t.equal(limited.status, proxy.name === 'nginx' ? 429 : 403);
      t.match(limited.headers.get('retry-after'), /^[1-9]\d?$/);
      t.match(limited.headers.get('content-type'), 'application/problem+json');
      const without = await send('/orders', {});
      t.strictSame([without.status, without.headers.get('www-authenticate')], [401, 'Bearer realm="api"']);
    });

    t.test('any method passes, and the body reaches the upstream', async (t) => {
      const { key } = await app.apiKeys.create({ name: 'methods', scopes: ['orders:read'] });
      for (const method of methods) {
        const body = ['GET', 'HEAD'].includes(method) ? '' : '{"a":1}';
        const response = await send('/orders', { 'x-api-key': key }, { method, ...(body && { body }) });
        t.equal(response.status, 200, method);
        t.match(upstream.received.at(-1), { method, body });
      }
    });

    t.test('a Connection header of the client cannot remove the identity headers', async (t) => {
      const { id, key } = await app.apiKeys.create({ name: 'hop by hop', scopes: ['orders:read'], ownerId: 'o' });
      const connection = 'close, x-api-key-id, x-api-key-name, x-api-key-scopes, x-api-key-owner';
      const [response] = await once(request(url, { headers: { 'x-api-key': key, connection } }).end(), 'response');
      response.resume();
      t.equal(response.statusCode, 200);
      t.match(upstream.received.at(-1)?.headers, {
        'x-api-key-id': id,
        'x-api-key-name': 'hop by hop',
        'x-api-key-scopes': 'orders:read',
        'x-api-key-owner': 'o',
      });
    });

    t.test('invalid, out-of-scope and rate-limited keys are denied, and the upstream gets no request', async (t) => {
      upstream.received.length = 0;
      const other = await app.apiKeys.create({ name: 'other', scopes: ['b'] });
      const revoked = await app.apiKeys.create({ name: 'revoked', scopes: ['orders:read'] });
      t.equal((await send('/', { 'x-api-key': revoked.key })).status, 200);
      await app.apiKeys.remove(revoked.id);
      const limited = await app.apiKeys.create({ name: 'one', scopes: ['orders:read'], rateLimitPerMinute: 1 });
      t.equal((await send('/', { 'x-api-key': limited.key })).status, 200);
      upstream.received.length = 0;

      const none = await send('/orders', forged);
      t.equal(none.status, 401);
      t.match(none.headers.get('www-authenticate'), /^Bearer /);
      t.equal((await send('/', { ...forged, 'x-api-key': generateKey('mez') })).status, 401);
      t.equal((await send('/', { ...forged, 'x-api-key': revoked.key })).status, 401);
      t.equal((await send('/', { ...forged, 'x-api-key': other.key })).status, 403);
      t.equal((await send('/', { ...forged, 'x-api-key': limited.key })).status, proxy.name === 'nginx' ? 429 : 403);
      const metered = await app.apiKeys.create({
        ...{ name: 'metered', scopes: ['orders:read'], quota: { limit: 1, period: 'month' } },
      });
      t.equal((await send('/', { 'x-api-key': metered.key })).status, 200);
      upstream.received.length = 0;
      t.match(await (await send('/', { ...forged, 'x-api-key': metered.key })).json(), {
        ...{ status: proxy.name === 'nginx' ? 429 : 403, code: 'QUOTA_EXCEEDED' },
      });
      const elsewhere = await app.apiKeys.create({ name: 'b', scopes: ['orders:read'], allowedIps: ['192.0.2.0/24'] });
      for (const [key, code] of [
        [other.key, 'INSUFFICIENT_SCOPE'],
        [elsewhere.key, 'IP_NOT_ALLOWED'],
      ] as const)
        t.match(await (await send('/', { ...forged, 'x-api-key': key })).json(), { status: 403, code });
      for (const method of methods) t.equal((await send('/?key=x', forged, { method })).status, 401, method);
      t.equal((await send('/', {}, { method: 'POST', body: 'x' })).status, 401);
      t.strictSame(upstream.received, []);
    });

    t.test('each location has its own scope and route, also by method', async (t) => {
      const { id, key } = await app.apiKeys.create({ name: 'invoices', scopes: ['invoices:read'] });
      t.equal((await send('/invoices/7', { 'x-api-key': key })).status, 200);
      t.equal((await send('/invoices/7', { 'x-api-key': key }, { method: 'DELETE' })).status, 403);
      t.equal((await send('/orders', { 'x-api-key': key })).status, 403);
      const reader = { 'x-api-key': (await app.apiKeys.create({ name: 'reader', scopes: ['orders:read'] })).key };
      upstream.received.length = 0;
      for (const path of ['/invoices', '/Invoices/7', '/invoices;x/7', '/invoices%2f7', '/a/%2e%2e/invoices/7'])
        t.ok([400, 403].includes((await send(path, reader, { method: 'DELETE' })).status), path);
      t.strictSame(upstream.received, [], 'no other spelling of the path bypasses the scope');
      await app.requestLog.flush();
      t.match(await app.prisma.requestLog.findMany({ where: { apiKeyId: id }, orderBy: { id: 'asc' } }), [
        { method: 'GET', path: '/invoices/7', route: '/invoices/*', statusCode: 204 },
        { method: 'DELETE', path: '/invoices/7', route: '/invoices/*', statusCode: 403 },
        { method: 'GET', path: '/orders', route: '/*', statusCode: 403 },
      ]);
    });

    t.test('an allowed origin gets CORS headers on preflights and denials; another origin does not', async (t) => {
      upstream.received.length = 0;
      const allowed = 'https://app.example.com';
      for (const [origin, expected] of [
        [allowed, allowed],
        ['https://a.example', null],
      ] as const) {
        const preflight = { origin, 'access-control-request-method': 'DELETE' };
        const response = await send('/orders/7', preflight, { method: 'OPTIONS' });
        t.equal(response.status, 204);
        t.equal(response.headers.get('access-control-allow-origin'), expected);
        t.match(response.headers.get('access-control-allow-headers'), 'X-API-Key');
        const denied = await send('/orders/7', { origin });
        t.equal(denied.status, 401);
        t.equal(denied.headers.get('access-control-allow-origin'), expected);
      }
      t.strictSame(upstream.received, []);
      const options = await send('/orders/7', { origin: allowed }, { method: 'OPTIONS' });
      t.equal(options.status, 401, 'OPTIONS without preflight headers is an ordinary request');
    });

    t.test(
      'the log has method, path and address of the actual request, whatever headers the client sends',
      async (t) => {
        const { id, key } = await app.apiKeys.create({ name: 'logged', scopes: ['orders:read'] });
        const forgedHeaders = {
          'x-original-method': 'PUT',
          'x-original-uri': '/lie',
          'x-forwarded-method': 'PUT',
          'x-forwarded-uri': '/lie',
          'x-forwarded-for': '192.0.2.1',
        };
        await send('/orders/7?secret=1', { 'x-api-key': key, ...forgedHeaders }, { method: 'DELETE' });
        await app.requestLog.flush();
        t.match(await app.prisma.requestLog.findMany({ where: { apiKeyId: id } }), [
          { method: 'DELETE', path: '/orders/7', statusCode: 204, ip: '127.0.0.1' },
        ]);
      },
    );

    t.test('the upstream gets address, host and protocol from the proxy, not from the client', async (t) => {
      const { key } = await app.apiKeys.create({ name: 'forwarded', scopes: ['orders:read'] });
      const forgedHeaders = { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-host': 'lie', 'x-forwarded-proto': 'https' };
      await send('/', { 'x-api-key': key, ...forgedHeaders });
      t.match(upstream.received.at(-1)?.headers, {
        'x-forwarded-for': /^127\.0\.0\.1$/,
        'x-forwarded-host': /^127\.0\.0\.1/,
        'x-forwarded-proto': /^http$/,
      });
    });
  });

  t.test(`${proxy.name} accepts identity headers only from musicez`, { skip: proxy.skip }, async (t) => {
    const upstream = await startUpstream(t);
    // Allows every request, without identity headers.
    const other = await startUpstream(t);
    const url = await proxy.start(t, other.address, upstream.address);
    await fetch(url, {
      headers: {
        'x-api-key-id': 'forged',
        'x-api-key-name': 'forged',
        'x-api-key-scopes': 'forged',
        'x-api-key-owner': 'forged',
      },
    });
    t.equal(upstream.received.length, 1);
    t.notMatch(JSON.stringify(upstream.received), 'forged');
  });

  t.test(`${proxy.name} denies every request while musicez is down`, { skip: proxy.skip }, async (t) => {
    const upstream = await startUpstream(t);
    const url = await proxy.start(t, `127.0.0.1:${await freePort()}`, upstream.address);
    const { key } = await app.apiKeys.create({ name: 'good', scopes: ['orders:read'] });
    const response = await fetch(url, { headers: { 'x-api-key': key } });
    t.ok(response.status >= 500);
    t.strictSame(upstream.received, []);
  });
}

function addressOf(address: AddressInfo | string | null): string {
  const { port } = address as AddressInfo;
  return `127.0.0.1:${port}`;
}

t.test('no proxy configuration lets a client forge the method and path that /v1/auth logs', async (t) => {
  const upstream = await startUpstream(t);
  const { key } = await app.apiKeys.create({ name: 'forger', scopes: ['orders:read'] });
  const headers = {
    'x-api-key': key,
    ...{ 'x-original-uri': '/forged', 'x-original-method': 'DELETE' },
    ...{ 'x-forwarded-uri': '/forged', 'x-forwarded-method': 'DELETE', 'x-request-id': 'forged' },
  };
  const started = proxies.map(async (proxy) => ({
    name: proxy.name,
    skip: proxy.skip,
    send: proxy.skip ? '' : `${await proxy.start(t, musicez, upstream.address)}/orders`,
  }));
  const haproxy = { name: 'haproxy', skip: needsHaproxy, send: '' };
  if (!needsHaproxy) {
    const port = Number(musicez.split(':')[1]);
    app.health.markWarm();
    const { url, untilAllUp } = await startHaproxy(t, [port, port, port]);
    await untilAllUp();
    haproxy.send = `${url}/v1/auth`;
  }
  for (const { name, skip, send } of [...(await Promise.all(started)), haproxy]) {
    await t.test(name, { skip }, async (t) => {
      const newest = await app.prisma.requestLog.findFirst({ orderBy: { id: 'desc' }, select: { id: true } });
      const response = await fetch(send, { headers });
      t.ok(response.ok);
      await app.requestLog.flush();
      const rows = await app.prisma.requestLog.findMany({
        where: { id: { gt: newest?.id ?? '' } },
      });
      t.ok(rows.length > 0);
      for (const { path, method } of rows) t.strictSame([method, path], ['GET', new URL(send).pathname]);
    });
  }
});
