import { METHODS } from 'node:http';
import type { FastifyInstance, InjectOptions } from 'fastify';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { keyHeaders, startApp } from '../app.js';
import { needsPostgres, ownDatabase } from '../database.js';
import { BreakableDatabase } from '../plugins/database/proxy.js';

const app = await startApp({ ...(await ownDatabase()), TRUST_PROXY: '127.0.0.1', CORS_ORIGINS: 'https://a.example' });
const good = await keyHeaders(app, 'orders:read');

async function ask(service: FastifyInstance, headers: InjectOptions['headers'], url = '/v1/auth', rest: object = {}) {
  const { statusCode, headers: answered, body } = await service.inject({ url, headers: { ...headers }, ...rest });
  return { status: statusCode, headers: answered, code: body && JSON.parse(body).code };
}

/** The newest row of the request log for this user agent; the test's own time-out is the limit. */
async function loggedFor(service: FastifyInstance, agent: string) {
  for (;;) {
    await service.requestLog.flush();
    const row = await service.prisma.requestLog.findFirst({ where: { userAgent: agent }, orderBy: { id: 'desc' } });
    if (row) return row;
  }
}

t.test('a good key passes, and the answer says whose it is', async (t) => {
  const { id, key } = await app.apiKeys.create({ name: 'Bär & Söhne 100%', scopes: ['orders:read', 'b'] });
  const { status, headers } = await ask(app, { 'x-api-key': key });
  t.equal(status, 204);
  t.match(headers, {
    'x-api-key-id': id,
    'x-api-key-name': 'B%C3%A4r & S%C3%B6hne 100%25',
    'x-api-key-scopes': 'orders:read b',
  });
});

t.test('a bad key is a 401, a good one without the scope a 403', async (t) => {
  t.match(await ask(app, {}), { status: 401, code: 'API_KEY_MISSING', headers: { 'www-authenticate': /Bearer/ } });
  t.match(await ask(app, { 'x-api-key': generateKey('mez') }), { status: 401, code: 'API_KEY_UNKNOWN' });
  t.match(await ask(app, good, '/v1/auth?scope=orders:read'), { status: 204 });
  t.match(await ask(app, good, '/v1/auth?scope=orders:write'), { status: 403, code: 'INSUFFICIENT_SCOPE' });
  t.match(await ask(app, await keyHeaders(app, 'admin'), '/v1/auth?scope=orders:write'), { status: 204 });
});

t.test('whatever else may be wrong is a 403', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'other' });
  t.match(await ask(app, { ...good, 'x-api-key': key }), { status: 403, code: 'API_KEYS_DIFFER' });
  t.match(await ask(app, good, '/v1/auth?scope=No'), { status: 403, code: 'VALIDATION_FAILED' });
  t.match(await ask(app, good, '/v1/auth?scope=a&scope=b'), { status: 403, code: 'VALIDATION_FAILED' });
  t.match(await ask(app, good, '/v1/auth?rateLimited=500'), { status: 403, code: 'VALIDATION_FAILED' });
});

t.test('a check that fails for no known reason is a 403 that says nothing of it', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'unlucky', rateLimitPerMinute: 1 });
  t.intercept(app.limits, 'count', {
    value: () => {
      throw new Error('secret');
    },
  });
  const answer = await app.inject({ url: '/v1/auth', headers: { 'x-api-key': key } });
  t.match({ status: answer.statusCode, body: answer.json() }, { status: 403, body: { code: 'CHECK_FAILED' } });
  t.notMatch(answer.body, 'secret');
});

t.test('a key over its limit is a 403, or a 429 where that was asked for', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'one', rateLimitPerMinute: 1 });
  t.match(await ask(app, { 'x-api-key': key }), { status: 204, headers: { 'ratelimit-remaining': '0' } });
  t.match(await ask(app, { 'x-api-key': key }), {
    status: 403,
    code: 'RATE_LIMITED',
    headers: { 'retry-after': /\d/ },
  });
  t.match(await ask(app, { 'x-api-key': key }, '/v1/auth?rateLimited=429'), { status: 429, code: 'RATE_LIMITED' });
});

t.test('a proxy that takes nothing but a 200 for a yes gets one', async (t) => {
  t.match(await ask(app, good, '/v1/auth?scope=orders:read&allowed=200'), {
    status: 200,
    headers: { 'x-api-key-scopes': 'orders:read' },
  });
  t.match(await ask(app, {}, '/v1/auth?allowed=200'), { status: 401 });
  t.match(await ask(app, good, '/v1/auth?allowed=302'), { status: 403, code: 'VALIDATION_FAILED' });
});

t.test('guessing goes on being a 401', async (t) => {
  for (let i = 0; i < 70; i++) {
    t.equal((await ask(app, { 'x-api-key': generateKey('mez') })).status, 401);
  }
  t.equal((await ask(app, good)).status, 204);
});

t.test('any method will do, with any body, even one that CORS would answer', async (t) => {
  for (const method of METHODS.filter((name) => name !== 'CONNECT') as InjectOptions['method'][]) {
    const refused = await app.inject({ method, url: '/v1/auth' });
    t.equal(refused.statusCode, 401, `${method} without a key`);
    const { statusCode } = await app.inject({ method, url: '/v1/auth', headers: good });
    t.equal(statusCode, 204, `${method} with one`);
  }
  const preflight = { origin: 'https://a.example', 'access-control-request-method': 'DELETE' };
  t.match(await ask(app, preflight, '/v1/auth', { method: 'OPTIONS' }), { status: 401 });
  for (const [type, payload] of [
    ['application/json', '{'],
    ['application/xml', '<a/>'],
    ['multipart/form-data; boundary=x', '--x'],
    ['nonsense', 'x'.repeat(2_000_000)],
  ] as const) {
    const rest = { method: 'POST', payload };
    t.match(await ask(app, { ...good, 'content-type': type }, '/v1/auth', rest), { status: 204 }, type);
  }
});

t.test('the log has the request that the proxy was asked, whatever the answer', async (t) => {
  const asked = async (headers: object) => {
    const agent = crypto.randomUUID();
    await ask(app, { ...headers, 'user-agent': agent });
    return loggedFor(app, agent);
  };
  t.match(await asked({ ...good, 'x-original-method': 'DELETE', 'x-original-uri': '/orders/7?secret=1' }), {
    method: 'DELETE',
    path: '/orders/7',
    statusCode: 204,
  });
  t.match(await asked({ 'x-forwarded-method': 'PUT', 'x-forwarded-uri': '/a' }), {
    method: 'PUT',
    path: '/a',
    statusCode: 401,
  });
  t.match(await asked({ ...good, 'x-forwarded-method': 'NULL,"{', 'x-forwarded-uri': 'nonsense' }), {
    method: 'GET',
    path: '/v1/auth',
  });
  t.equal((await asked({ 'x-original-uri': `/${'y'.repeat(5_000)}` }))?.path.length, 1_024);
});

t.test('who is not trusted has no say in what the log has', async (t) => {
  const service = await startApp(await ownDatabase());
  const agent = crypto.randomUUID();
  await ask(service, { 'x-original-method': 'DELETE', 'x-original-uri': '/orders/7', 'user-agent': agent });
  t.match(await loggedFor(service, agent), { method: 'GET', path: '/v1/auth' });
});

t.test('while the database is away an unknown key may not pass', { skip: needsPostgres }, async (t) => {
  const own = await ownDatabase();
  const database = new BreakableDatabase(own.DATABASE_URL ?? '');
  await database.mend();
  // Made elsewhere before, so that no news of it comes in between.
  const known = await keyHeaders(await startApp(own));
  const service = await startApp({ ...own, DATABASE_URL: database.url });
  t.equal((await ask(service, known)).status, 204);
  await database.break();
  t.match(await ask(service, { 'x-api-key': generateKey('mez') }), { status: 403, code: 'DATABASE_UNAVAILABLE' });
  t.match(await ask(service, known), { status: 204 });
});
