import { METHODS } from 'node:http';
import type { FastifyInstance, InjectOptions } from 'fastify';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { keyHeaders, startApp } from '../app.js';
import { createTestDatabase, needsPostgres, skipFileOnEmbedded } from '../database.js';
import { BreakableDatabase } from '../plugins/database/proxy.js';

skipFileOnEmbedded();

const app = await startApp({
  ...(await createTestDatabase()),
  TRUST_PROXY: '127.0.0.1',
  CORS_ORIGINS: 'https://a.example',
});
const validKey = await keyHeaders(app, 'orders:read');

async function send(service: FastifyInstance, headers: InjectOptions['headers'], url = '/v1/auth', rest: object = {}) {
  const {
    statusCode,
    headers: responseHeaders,
    body,
  } = await service.inject({ url, headers: { ...headers }, ...rest });
  return { status: statusCode, headers: responseHeaders, code: body && JSON.parse(body).code };
}

/** Waits for a row of the request log with this user agent, and returns the newest. */
async function loggedFor(service: FastifyInstance, agent: string) {
  for (;;) {
    await service.requestLog.flush();
    const row = await service.prisma.requestLog.findFirst({ where: { userAgent: agent }, orderBy: { id: 'desc' } });
    if (row) return row;
  }
}

t.test('a valid key passes, and the response has its id, name, scopes and owner', async (t) => {
  const { id, key } = await app.apiKeys.create({
    name: 'Bär & Söhne 100%',
    scopes: ['orders:read', 'b'],
    ownerId: 'Käufer/1',
  });
  const { status, headers } = await send(app, { 'x-api-key': key });
  t.equal(status, 204);
  t.match(headers, {
    'x-api-key-id': id,
    'x-api-key-name': 'B%C3%A4r & S%C3%B6hne 100%25',
    'x-api-key-scopes': 'orders:read b',
    'x-api-key-owner': 'K%C3%A4ufer/1',
  });
  t.equal(
    (await send(app, validKey)).headers['x-api-key-owner'],
    '',
    'an empty header replaces one that the client sent',
  );
});

t.test('an invalid key returns 401, and a valid key without the scope 403', async (t) => {
  t.match(await send(app, {}), { status: 401, code: 'API_KEY_MISSING', headers: { 'www-authenticate': /Bearer/ } });
  t.match(await send(app, { 'x-api-key': generateKey('mez') }), { status: 401, code: 'API_KEY_UNKNOWN' });
  t.match(await send(app, validKey, '/v1/auth?scope=orders:read'), { status: 204 });
  t.match(await send(app, validKey, '/v1/auth?scope=orders:write'), { status: 403, code: 'INSUFFICIENT_SCOPE' });
  t.match(await send(app, await keyHeaders(app, 'admin'), '/v1/auth?scope=orders:write'), { status: 204 });
});

t.test('any other invalid request returns 403', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'other' });
  t.match(await send(app, { ...validKey, 'x-api-key': key }), { status: 403, code: 'API_KEYS_DIFFER' });
  t.match(await send(app, validKey, '/v1/auth?scope=No'), { status: 403, code: 'VALIDATION_FAILED' });
  t.match(await send(app, validKey, '/v1/auth?scope=a&scope=b'), { status: 403, code: 'VALIDATION_FAILED' });
  t.match(await send(app, validKey, '/v1/auth?rateLimited=500'), { status: 403, code: 'VALIDATION_FAILED' });
});

t.test('a check that fails unexpectedly returns 403 without the cause', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'unlucky', rateLimitPerMinute: 1 });
  t.intercept(app.limits, 'charge', {
    value: () => {
      throw new Error('secret');
    },
  });
  const response = await app.inject({ url: '/v1/auth', headers: { 'x-api-key': key } });
  t.match({ status: response.statusCode, body: response.json() }, { status: 403, body: { code: 'CHECK_FAILED' } });
  t.notMatch(response.body, 'secret');
});

t.test('a key over its limit returns 403, or 429 if the proxy requests it', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'one', rateLimitPerMinute: 1 });
  t.match(await send(app, { 'x-api-key': key }), { status: 204, headers: { 'ratelimit-remaining': '0' } });
  t.match(await send(app, { 'x-api-key': key }), {
    status: 403,
    code: 'RATE_LIMITED',
    headers: { 'retry-after': /\d/ },
  });
  t.match(await send(app, { 'x-api-key': key }, '/v1/auth?rateLimited=429'), { status: 429, code: 'RATE_LIMITED' });
});

t.test('an allowed request returns 200 if the proxy requests it', async (t) => {
  t.match(await send(app, validKey, '/v1/auth?scope=orders:read&allowed=200'), {
    status: 200,
    headers: { 'x-api-key-scopes': 'orders:read' },
  });
  t.match(await send(app, {}, '/v1/auth?allowed=200'), { status: 401 });
  t.match(await send(app, validKey, '/v1/auth?allowed=302'), { status: 403, code: 'VALIDATION_FAILED' });
});

t.test('unknown keys return 401, and are not throttled', async (t) => {
  for (let i = 0; i < 70; i++) {
    t.equal((await send(app, { 'x-api-key': generateKey('mez') })).status, 401);
  }
  t.equal((await send(app, validKey)).status, 204);
});

t.test('any method with any body is checked, even a CORS preflight', async (t) => {
  for (const method of METHODS.filter((name) => name !== 'CONNECT') as InjectOptions['method'][]) {
    const denied = await app.inject({ method, url: '/v1/auth' });
    t.equal(denied.statusCode, 401, `${method} without a key`);
    const { statusCode } = await app.inject({ method, url: '/v1/auth', headers: validKey });
    t.equal(statusCode, 204, `${method} with a key`);
  }
  const preflight = { origin: 'https://a.example', 'access-control-request-method': 'DELETE' };
  t.match(await send(app, preflight, '/v1/auth', { method: 'OPTIONS' }), { status: 401 });
  for (const [type, payload] of [
    ['application/json', '{'],
    ['application/xml', '<a/>'],
    ['multipart/form-data; boundary=x', '--x'],
    ['nonsense', 'x'.repeat(2_000_000)],
  ] as const) {
    const rest = { method: 'POST', payload };
    t.match(await send(app, { ...validKey, 'content-type': type }, '/v1/auth', rest), { status: 204 }, type);
  }
});

t.test('the log has the original request, whether it is allowed or denied', async (t) => {
  const loggedRowOf = async (headers: object) => {
    const agent = crypto.randomUUID();
    await send(app, { ...headers, 'user-agent': agent });
    return loggedFor(app, agent);
  };
  t.match(await loggedRowOf({ ...validKey, 'x-original-method': 'DELETE', 'x-original-uri': '/orders/7?secret=1' }), {
    method: 'DELETE',
    path: '/orders/7',
    statusCode: 204,
  });
  t.match(await loggedRowOf({ 'x-forwarded-method': 'PUT', 'x-forwarded-uri': '/a' }), {
    method: 'PUT',
    path: '/a',
    statusCode: 401,
  });
  const agent = crypto.randomUUID();
  await send(app, { ...validKey, 'user-agent': agent, 'x-original-uri': '/orders/7' }, '/v1/auth?route=/orders/:id');
  t.match(await loggedFor(app, agent), { path: '/orders/7', route: '/orders/:id', statusCode: 204 });
  const agentWithoutKey = crypto.randomUUID();
  await send(app, { 'user-agent': agentWithoutKey }, '/v1/auth?route=/made-up');
  t.match(
    await loggedFor(app, agentWithoutKey),
    { route: '/v1/auth', statusCode: 401 },
    'the route is used only with a valid key',
  );
  t.match(await send(app, validKey, '/v1/auth?route=orders'), { status: 403, code: 'VALIDATION_FAILED' });
  t.match(await loggedRowOf({ ...validKey, 'x-forwarded-method': 'NULL,"{', 'x-forwarded-uri': 'nonsense' }), {
    method: 'GET',
    path: '/v1/auth',
  });
  t.equal((await loggedRowOf({ 'x-original-uri': `/${'y'.repeat(5_000)}` }))?.path.length, 1_024);
});

t.test('headers of untrusted peers do not change the log', async (t) => {
  const service = await startApp(await createTestDatabase());
  const agent = crypto.randomUUID();
  const headers = { 'x-original-method': 'DELETE', 'x-original-uri': '/orders/7', 'user-agent': agent };
  await send(service, headers, '/v1/auth?route=/orders/*');
  t.match(await loggedFor(service, agent), { method: 'GET', path: '/v1/auth', route: '/v1/auth' });
});

t.test('while the database is down an unknown key is denied', { skip: needsPostgres }, async (t) => {
  const own = await createTestDatabase();
  const database = new BreakableDatabase(own.DATABASE_URL ?? '');
  await database.listen();
  // Another instance creates the key before this one starts, so that no notification removes it from the cache of this one.
  const cachedKey = await keyHeaders(await startApp(own));
  const service = await startApp({ ...own, DATABASE_URL: database.url });
  t.equal((await send(service, cachedKey)).status, 204);
  await database.break();
  t.match(await send(service, { 'x-api-key': generateKey('mez') }), { status: 403, code: 'DATABASE_UNAVAILABLE' });
  t.match(await send(service, cachedKey), { status: 204 });
});
