import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { clientOf, keyHeaders, startApp } from '../../app.js';
import { createTestDatabase } from '../../database.js';

const app = await startApp(await createTestDatabase());
const request = (headers: Record<string, string | undefined>) => clientOf(app, headers)('GET', '/v1/me');

t.test('a key is accepted as Bearer token, as X-API-Key and as both', async (t) => {
  const { key, ...record } = await app.apiKeys.create({ name: 'door', scopes: ['a:b'] });
  const me = { id: record.id, name: 'door', start: record.start, scopes: ['a:b'], expiresAt: null };
  for (const headers of [
    { authorization: `Bearer ${key}` },
    { authorization: `bearer  ${key}` },
    { 'x-api-key': key },
    { authorization: `Bearer ${key}`, 'x-api-key': key },
    { authorization: 'Basic dXNlcjpwYXNz', 'x-api-key': key },
  ]) {
    t.match(await request(headers), { status: 200, body: me }, JSON.stringify(Object.keys(headers)));
  }
});

t.test('a request without a key gets a 401 and a challenge that contains no error', async (t) => {
  for (const headers of [{}, { authorization: 'Basic dXNlcjpwYXNz' }, { authorization: 'Bearer ' }]) {
    const { status, headers: answer, body } = await request(headers);
    t.match({ status, body }, { status: 401, body: { code: 'API_KEY_MISSING', title: 'Unauthorized', status: 401 } });
    t.equal(answer['www-authenticate'], 'Bearer realm="api"');
    t.match(answer['content-type'], /^application\/problem\+json/);
  }
});

t.test('an unknown, mistyped or foreign key is rejected with the error invalid_token', async (t) => {
  const unknown = generateKey('mez');
  for (const key of [unknown, unknown.slice(0, -1), generateKey('abc'), 'x', 'ü', `${unknown} `.repeat(3)]) {
    const { status, headers, body } = await request({ authorization: `Bearer ${key}` });
    t.match({ status, body }, { status: 401, body: { code: 'API_KEY_UNKNOWN' } });
    t.match(headers['www-authenticate'], /error="invalid_token"/);
    t.notMatch(JSON.stringify(body), key.length > 1 ? key : 'never', 'the response does not contain the key');
  }
});

t.test('a request with two different keys is rejected', async (t) => {
  const [one, other] = [generateKey('mez'), generateKey('mez')];
  for (const headers of [
    { authorization: `Bearer ${one}`, 'x-api-key': other },
    { authorization: `Bearer ${one}, Bearer ${other}` },
    { 'x-api-key': `${one}, ${other}` },
  ]) {
    t.match(await request(headers), { status: 400, body: { code: 'API_KEYS_DIFFER' } });
  }
});

t.test('a disabled, expired or deleted key is rejected immediately in the same process', async (t) => {
  const { key, ...record } = await app.apiKeys.create({ name: 'short-lived' });
  const headers = { 'x-api-key': key };
  t.equal((await request(headers)).status, 200);
  await app.apiKeys.update(record.id, { active: false });
  t.match(await request(headers), { status: 401, body: { code: 'API_KEY_DISABLED' } });
  await app.apiKeys.update(record.id, { active: true, expiresAt: new Date(Date.now() - 1) });
  t.match(await request(headers), { status: 401, body: { code: 'API_KEY_EXPIRED' } });
  await app.apiKeys.update(record.id, { expiresAt: null });
  t.equal((await request(headers)).status, 200);
  await app.apiKeys.remove(record.id);
  t.match(await request(headers), { status: 401, body: { code: 'API_KEY_UNKNOWN' } });
});

t.test('a cached key expires on time', async (t) => {
  const expiresAt = new Date(Date.now() + 1_000);
  const { key } = await app.apiKeys.create({ name: 'expiring', expiresAt });
  t.equal((await request({ 'x-api-key': key })).status, 200);
  let answer = await request({ 'x-api-key': key });
  while (answer.status === 200) answer = await request({ 'x-api-key': key });
  t.match(answer, { status: 401, body: { code: 'API_KEY_EXPIRED' } });
  const lateMs = Date.now() - expiresAt.getTime();
  t.ok(lateMs > -100 && lateMs < 500, `${lateMs} ms after its expiry`);
});

t.test('an unknown key works as soon as the same process stores it', async (t) => {
  const key = generateKey('mez');
  t.equal((await request({ 'x-api-key': key })).status, 401);
  await app.apiKeys.adopt(key, { name: 'adopted' });
  t.equal((await request({ 'x-api-key': key })).status, 200);
  await app.apiKeys.adopt(key, { name: 'adopted again' });
  t.match(await request({ 'x-api-key': key }), { status: 200, body: { name: 'adopted' } });
});

t.test('a key without the scope of a route is denied, and an admin key is allowed', async (t) => {
  const listKeysWith = async (...scopes: string[]) =>
    clientOf(app, await keyHeaders(app, ...scopes))('GET', '/v1/api-keys');
  t.equal((await listKeysWith('admin')).status, 200);
  const denied = await listKeysWith('administrator', 'a');
  t.match(denied, { status: 403, body: { code: 'INSUFFICIENT_SCOPE' } });
  t.match(denied.headers['www-authenticate'], /error="insufficient_scope", scope="keys:read"/);
});

t.test('the table api_keys does not contain the key itself', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'secret' });
  const { rows } = await app.database.pool.query('SELECT * FROM api_keys');
  t.notMatch(JSON.stringify(rows), key);
});
