import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { clientOf, keyHeaders, startApp } from '../app.js';
import { createTestDatabase } from '../database.js';

const app = await startApp(await createTestDatabase());
const request = clientOf(app, await keyHeaders(app, 'verify'));
const verify = async (body: object) => (await request('POST', '/v1/api-keys/verify', body)).body;

const noLimits = { rateLimits: [], quota: null, ownerQuota: null };

t.test('each state of a key has its code, for requests with the full key', async (t) => {
  const { id, key } = await app.apiKeys.create({ name: 'verified', scopes: ['read'], ownerId: 'acme' });
  const identity = {
    id,
    name: 'verified',
    scopes: ['read'],
    expiresAt: null,
    ownerId: 'acme',
    metadata: null,
    ...noLimits,
  };
  t.strictSame(await verify({ key }), { valid: true, code: 'VALID', ...identity });
  t.strictSame(await verify({ key, scope: 'read' }), { valid: true, code: 'VALID', ...identity });
  t.strictSame(await verify({ key, scope: 'write' }), { valid: false, code: 'INSUFFICIENT_SCOPE', ...identity });
  await app.apiKeys.update(id, { active: false });
  t.strictSame(await verify({ key }), { valid: false, code: 'DISABLED', ...identity });
  const expiresAt = new Date(Date.now() - 1_000);
  await app.apiKeys.update(id, { active: true, expiresAt });
  t.strictSame(await verify({ key }), {
    valid: false,
    code: 'EXPIRED',
    ...identity,
    expiresAt: expiresAt.toISOString(),
  });
  await app.apiKeys.remove(id);
  t.strictSame(await verify({ key }), { valid: false, code: 'NOT_FOUND' });
});

t.test('a part of a key reveals no information', async (t) => {
  const { key, start } = await app.apiKeys.create({ name: 'secret' });
  for (const part of [start, key.slice(0, -1), `${key}x`, key.toLowerCase(), generateKey('mez'), ' ', '\u0000']) {
    t.strictSame(await verify({ key: part }), { valid: false, code: 'NOT_FOUND' }, JSON.stringify(part));
  }
});

t.test('verifying counts against the limit of the verified key', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'two', rateLimitPerMinute: 2 });
  t.match(await verify({ key }), { code: 'VALID' });
  t.match(await verify({ key }), { code: 'VALID' });
  t.match(await verify({ key }), { valid: false, code: 'RATE_LIMITED', name: 'two' });
  t.match(
    await clientOf(app, { 'x-api-key': key })('GET', '/v1/me'),
    { status: 429 },
    'requests with the key use the same limit',
  );
});

t.test('verification updates lastUsed of the key', async (t) => {
  const { id, key } = await app.apiKeys.create({ name: 'used' });
  await verify({ key });
  await app.requestLog.flush();
  while ((await app.apiKeys.get(id)).lastUsed === null) await new Promise((resolve) => setTimeout(resolve, 5));
  t.pass();
});

t.test('only a key with the scope verify or admin can verify keys', async (t) => {
  const body = { key: generateKey('mez') };
  for (const [scope, status] of [
    ['read', 403],
    ['verify', 200],
    ['admin', 200],
  ] as const) {
    const client = clientOf(app, await keyHeaders(app, scope));
    t.equal((await client('POST', '/v1/api-keys/verify', body)).status, status, scope);
  }
  t.equal((await clientOf(app, {})('POST', '/v1/api-keys/verify', body)).status, 401);
});

t.test('an invalid request is rejected with the name of the field', async (t) => {
  for (const [body, path] of [
    [{}, '/body/key'],
    [{ key: 7 }, '/body/key'],
    [{ key: '' }, '/body/key'],
    [{ key: 'x'.repeat(1_025) }, '/body/key'],
    [{ key: 'x', scope: 'No' }, '/body/scope'],
    [{ key: 'x', id: 'x' }, '/body/id'],
  ] as const) {
    const { status, body: problem } = await request('POST', '/v1/api-keys/verify', body);
    t.match({ status, errors: problem.errors }, { status: 400, errors: [{ path }] });
  }
});
