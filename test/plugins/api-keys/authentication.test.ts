import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { clientOf, keyHeaders, startApp } from '../../app.js';
import { ownDatabase } from '../../database.js';

const app = await startApp(await ownDatabase());
const request = (headers: Record<string, string | undefined>) => clientOf(app, headers)('GET', '/v1/me');

t.test('a key opens the door as Bearer token, as X-API-Key and as both', async (t) => {
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

t.test('without a key the answer is 401 with a challenge that names no error', async (t) => {
  for (const headers of [{}, { authorization: 'Basic dXNlcjpwYXNz' }, { authorization: 'Bearer ' }]) {
    const { status, headers: answer, body } = await request(headers);
    t.match({ status, body }, { status: 401, body: { code: 'API_KEY_MISSING', title: 'Unauthorized', status: 401 } });
    t.equal(answer['www-authenticate'], 'Bearer realm="api"');
    t.match(answer['content-type'], /^application\/problem\+json/);
  }
});

t.test('an unknown, mistyped or foreign key is refused as an invalid token', async (t) => {
  const unknown = generateKey('mez');
  for (const key of [unknown, unknown.slice(0, -1), generateKey('abc'), 'x', 'ü', `${unknown} `.repeat(3)]) {
    const { status, headers, body } = await request({ authorization: `Bearer ${key}` });
    t.match({ status, body }, { status: 401, body: { code: 'API_KEY_UNKNOWN' } });
    t.match(headers['www-authenticate'], /error="invalid_token"/);
    t.notMatch(JSON.stringify(body), key.length > 1 ? key : 'never', 'the answer does not repeat the key');
  }
});

t.test('two different keys in one request are refused', async (t) => {
  const [one, other] = [generateKey('mez'), generateKey('mez')];
  for (const headers of [
    { authorization: `Bearer ${one}`, 'x-api-key': other },
    { authorization: `Bearer ${one}, Bearer ${other}` },
    { 'x-api-key': `${one}, ${other}` },
  ]) {
    t.match(await request(headers), { status: 400, body: { code: 'API_KEYS_DIFFER' } });
  }
});

t.test('a disabled, expired or deleted key stops working in this process at once', async (t) => {
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

t.test('a cached key expires to the millisecond', async (t) => {
  const expiresAt = new Date(Date.now() + 60_000);
  const { key } = await app.apiKeys.create({ name: 'expiring', expiresAt });
  t.equal((await request({ 'x-api-key': key })).status, 200);
  t.intercept(Date, 'now', { value: () => expiresAt.getTime() });
  t.match(await request({ 'x-api-key': key }), { status: 401, body: { code: 'API_KEY_EXPIRED' } });
});

t.test('a key that was unknown works as soon as this process stores it', async (t) => {
  const key = generateKey('mez');
  t.equal((await request({ 'x-api-key': key })).status, 401);
  await app.apiKeys.adopt(key, { name: 'adopted' });
  t.equal((await request({ 'x-api-key': key })).status, 200);
  await app.apiKeys.adopt(key, { name: 'adopted again' });
  t.match(await request({ 'x-api-key': key }), { status: 200, body: { name: 'adopted' } });
});

t.test('a scope opens only its own routes, and admin opens all', async (t) => {
  const open = async (...scopes: string[]) => clientOf(app, await keyHeaders(app, ...scopes))('GET', '/v1/api-keys');
  t.equal((await open('admin')).status, 200);
  const refused = await open('administrator', 'a');
  t.match(refused, { status: 403, body: { code: 'INSUFFICIENT_SCOPE' } });
  t.match(refused.headers['www-authenticate'], /error="insufficient_scope", scope="admin"/);
});

t.test('only the digest of a key is in the database', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'secret' });
  const { rows } = await app.database.pool.query('SELECT * FROM api_keys');
  t.notMatch(JSON.stringify(rows), key);
});
