import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { startApp } from '../app.js';
import { ownDatabase } from '../database.js';
import { freePort } from '../process.js';
import { proxies } from './proxy-processes.js';

const app = await startApp({ ...(await ownDatabase()), TRUST_PROXY: '127.0.0.1' });
await app.listen({ port: 0, host: '127.0.0.1' });
const musicez = addressOf(app.server.address());
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** What a proxy protects: it keeps what arrives. */
async function startUpstream(t: Test) {
  const seen: { method: string | undefined; headers: IncomingMessage['headers']; body: string }[] = [];
  const server = createServer(async (request, response) => {
    seen.push({ method: request.method, headers: request.headers, body: await text(request) });
    response.end('from the upstream');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close().closeAllConnections());
  return { seen, address: addressOf(server.address()) };
}

for (const proxy of proxies) {
  t.test(`${proxy.name} lets through whom musicez lets through`, { skip: proxy.skip }, async (t) => {
    const upstream = await startUpstream(t);
    const url = await proxy.start(t, musicez, upstream.address);
    const ask = (path: string, headers: Record<string, string>, init: RequestInit = {}) =>
      fetch(url + path, { ...init, headers });
    const forged = {
      'x-api-key-id': 'forged',
      'x-api-key-name': 'forged',
      'x-api-key-scopes': 'admin',
      // The same to CGI, WSGI and the like.
      x_api_key_id: 'forged',
      'x-api_key-scopes': 'admin',
    };

    t.test('a good key passes, with its identity in place of what the client says, and without the key', async (t) => {
      const { id, key } = await app.apiKeys.create({ name: 'shop ✓', scopes: ['orders:read', 'b'] });
      const ways: Record<string, string>[] = [{ 'x-api-key': key }, { authorization: `Bearer ${key}` }];
      for (const presented of ways) {
        upstream.seen.length = 0;
        const answer = await ask('/orders', { ...presented, ...forged });
        t.equal(answer.status, 200);
        t.equal(await answer.text(), 'from the upstream');
        const headers = upstream.seen[0]?.headers;
        t.match(headers, {
          'x-api-key-id': id,
          'x-api-key-name': 'shop %E2%9C%93',
          'x-api-key-scopes': 'orders:read b',
        });
        t.strictSame([headers?.authorization, headers?.['x-api-key']], [undefined, undefined]);
        t.notMatch(Object.keys(headers ?? {}).join(), '_');
      }
    });

    t.test('any method will do, and the body arrives', async (t) => {
      const { key } = await app.apiKeys.create({ name: 'methods', scopes: ['orders:read'] });
      for (const method of methods) {
        const body = ['GET', 'HEAD'].includes(method) ? '' : '{"a":1}';
        const answer = await ask('/orders', { 'x-api-key': key }, { method, ...(body && { body }) });
        t.equal(answer.status, 200, method);
        t.match(upstream.seen.at(-1), { method, body });
      }
    });

    t.test('a client cannot have its identity removed on the way', async (t) => {
      const { id, key } = await app.apiKeys.create({ name: 'hop by hop', scopes: ['orders:read'] });
      const connection = 'close, x-api-key-id, x-api-key-name, x-api-key-scopes';
      const [answer] = await once(request(url, { headers: { 'x-api-key': key, connection } }).end(), 'response');
      answer.resume();
      t.equal(answer.statusCode, 200);
      t.match(upstream.seen.at(-1)?.headers, {
        'x-api-key-id': id,
        'x-api-key-name': 'hop by hop',
        'x-api-key-scopes': 'orders:read',
      });
    });

    t.test('nobody else does, and the upstream hears of none', async (t) => {
      upstream.seen.length = 0;
      const other = await app.apiKeys.create({ name: 'other', scopes: ['b'] });
      const revoked = await app.apiKeys.create({ name: 'revoked', scopes: ['orders:read'] });
      t.equal((await ask('/', { 'x-api-key': revoked.key })).status, 200);
      await app.apiKeys.remove(revoked.id);
      const limited = await app.apiKeys.create({ name: 'one', scopes: ['orders:read'], rateLimitPerMinute: 1 });
      t.equal((await ask('/', { 'x-api-key': limited.key })).status, 200);
      upstream.seen.length = 0;

      const none = await ask('/orders', forged);
      t.equal(none.status, 401);
      t.match(none.headers.get('www-authenticate'), /^Bearer /);
      t.equal((await ask('/', { ...forged, 'x-api-key': generateKey('mez') })).status, 401);
      t.equal((await ask('/', { ...forged, 'x-api-key': revoked.key })).status, 401);
      t.equal((await ask('/', { ...forged, 'x-api-key': other.key })).status, 403);
      t.equal((await ask('/', { ...forged, 'x-api-key': limited.key })).status, 403);
      for (const method of methods) t.equal((await ask('/?key=x', forged, { method })).status, 401, method);
      t.equal((await ask('/', {}, { method: 'POST', body: 'x' })).status, 401);
      const preflight = { origin: 'https://a.example', 'access-control-request-method': 'DELETE' };
      t.equal((await ask('/', preflight, { method: 'OPTIONS' })).status, 401);
      t.strictSame(upstream.seen, []);
    });

    t.test('the log has what the client asked for, and the client has no other say in it', async (t) => {
      const { id, key } = await app.apiKeys.create({ name: 'logged', scopes: ['orders:read'] });
      const lies = {
        'x-original-method': 'PUT',
        'x-original-uri': '/lie',
        'x-forwarded-method': 'PUT',
        'x-forwarded-uri': '/lie',
        'x-forwarded-for': '192.0.2.1',
      };
      await ask('/orders/7?secret=1', { 'x-api-key': key, ...lies }, { method: 'DELETE' });
      await app.requestLog.flush();
      t.match(await app.prisma.requestLog.findMany({ where: { apiKeyId: id } }), [
        { method: 'DELETE', path: '/orders/7', statusCode: 204, ip: '127.0.0.1' },
      ]);
    });

    t.test('the upstream hears from where and by what name it was asked, and not from the client', async (t) => {
      const { key } = await app.apiKeys.create({ name: 'forwarded', scopes: ['orders:read'] });
      const lies = { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-host': 'lie', 'x-forwarded-proto': 'https' };
      await ask('/', { 'x-api-key': key, ...lies });
      t.match(upstream.seen.at(-1)?.headers, {
        'x-forwarded-for': /^127\.0\.0\.1$/,
        'x-forwarded-host': /^127\.0\.0\.1/,
        'x-forwarded-proto': /^http$/,
      });
    });
  });

  t.test(`${proxy.name} takes nobody's word for whose key it is but musicez'`, { skip: proxy.skip }, async (t) => {
    const upstream = await startUpstream(t);
    // Says yes, and not whose key it is.
    const other = await startUpstream(t);
    const url = await proxy.start(t, other.address, upstream.address);
    await fetch(url, {
      headers: { 'x-api-key-id': 'forged', 'x-api-key-name': 'forged', 'x-api-key-scopes': 'forged' },
    });
    t.equal(upstream.seen.length, 1);
    t.notMatch(JSON.stringify(upstream.seen), 'forged');
  });

  t.test(`${proxy.name} lets nobody through while musicez is away`, { skip: proxy.skip }, async (t) => {
    const upstream = await startUpstream(t);
    const url = await proxy.start(t, `127.0.0.1:${await freePort()}`, upstream.address);
    const { key } = await app.apiKeys.create({ name: 'good', scopes: ['orders:read'] });
    const answer = await fetch(url, { headers: { 'x-api-key': key } });
    t.ok(answer.status >= 500);
    t.strictSame(upstream.seen, []);
  });
}

function addressOf(address: AddressInfo | string | null): string {
  const { port } = address as AddressInfo;
  return `127.0.0.1:${port}`;
}
