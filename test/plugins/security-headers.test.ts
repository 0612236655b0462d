import type { AddressInfo } from 'node:net';
import helmet from '@fastify/helmet';
import Fastify from 'fastify';
import t from 'tap';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';

skipFileOnEmbedded();

const app = await buildApp(
  loadConfig({ LOG_LEVEL: 'silent', CORS_ORIGINS: 'https://app.example.com', ...(await createTestDatabase()) }),
);
t.teardown(() => app.close());
app.get('/own-policy', async (_request, reply) => {
  reply.header('content-security-policy', "default-src 'none'");
  return '';
});
await app.listen({ port: 0, host: '127.0.0.1' });
await app.database.ready;
const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;

async function helmetHeaders() {
  const plain = Fastify();
  await plain.register(helmet);
  plain.get('/', () => '');
  const { headers } = await plain.inject('/');
  return Object.entries(headers).filter(
    ([name]) => !['content-length', 'content-type', 'date', 'connection'].includes(name),
  );
}

t.test("every response has Helmet's headers, over a socket and injected, whatever its status", async (t) => {
  const expected = await helmetHeaders();
  t.ok(expected.length >= 12);
  for (const path of ['/', '/livez', '/nothing', '/v1/me', '/%zz']) {
    const { headers } = await fetch(url + path);
    const injected = await app.inject(path);
    for (const [name, value] of expected) {
      t.equal(headers.get(name), value, `${name} of ${path}`);
      t.equal(injected.headers[name], value, `${name} of ${path}, injected`);
    }
  }
});

t.test('a route can override a header, which is then sent once', async (t) => {
  const { headers } = await fetch(`${url}/own-policy`);
  t.equal(headers.get('content-security-policy'), "default-src 'none'");
  t.equal(headers.get('x-content-type-options'), 'nosniff');
});

t.test('every response has a unique request id, which the client cannot choose', async (t) => {
  const ids = await Promise.all(
    ['/', '/', '/nothing', '/%zz'].map(async (path) => (await fetch(url + path)).headers.get('x-request-id')),
  );
  t.ok(ids.every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id ?? '')));
  t.equal(new Set(ids).size, ids.length);
  const { headers } = await fetch(url, { headers: { 'x-request-id': 'chosen-by-client' } });
  t.not(headers.get('x-request-id'), 'chosen-by-client');
});

t.test('only configured origins can read responses in a browser', async (t) => {
  const allowedOrigin = async (origin: string) =>
    (await fetch(url, { headers: { origin } })).headers.get('access-control-allow-origin');
  t.equal(await allowedOrigin('https://app.example.com'), 'https://app.example.com');
  t.equal(await allowedOrigin('https://evil.example.com'), null);
  const preflight = await fetch(`${url}/v1/me`, {
    method: 'OPTIONS',
    headers: {
      origin: 'https://app.example.com',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization',
    },
  });
  t.equal(preflight.status, 204);
  t.match(preflight.headers.get('access-control-allow-methods'), 'PATCH, DELETE');
  await app.requestLog.flush();
  const id = preflight.headers.get('x-request-id') ?? '';
  t.match(await app.prisma.requestLog.findUnique({ where: { id } }), {
    method: 'OPTIONS',
    path: '/v1/me',
    statusCode: 204,
  });
  t.match(preflight.headers.get('access-control-allow-headers'), 'authorization');
});

t.test('a request without an Origin gets no CORS headers, but Vary for caches', async (t) => {
  const { headers } = await fetch(url);
  t.strictSame(
    [...headers.keys()].filter((name) => name.startsWith('access-control-')),
    [],
  );
  t.match(headers.get('vary'), /origin/i);
  const options = await fetch(`${url}/v1/me`, { method: 'OPTIONS' });
  t.strictSame([options.status, options.headers.get('allow')], [204, 'GET, HEAD, OPTIONS']);
});
