import t from 'tap';
import { clientOf, keyHeaders, startApp } from '../app.js';
import { createTestDatabase } from '../database.js';

const app = await startApp(await createTestDatabase());
const request = clientOf(app, await keyHeaders(app, 'admin'));
const metadata = { plan: 'pro', seats: 3, limits: { deep: [1, null, 'ä'] } };
const owned = { ownerId: 'Kunde 4711 ✓', metadata };

t.test('every answer about a key has its owner and metadata', async (t) => {
  const { body: created } = await request('POST', '/v1/api-keys', { name: 'owned', scopes: ['verify'], ...owned });
  t.match(created, owned);
  t.match((await request('GET', `/v1/api-keys/${created.id}`)).body, owned);
  t.match((await request('GET', `/v1/api-keys?ownerId=${encodeURIComponent(owned.ownerId)}`)).body.data, [owned]);
  const own = clientOf(app, { 'x-api-key': created.key });
  t.match((await own('GET', '/v1/me')).body, owned);
  t.match((await own('POST', '/v1/api-keys/verify', { key: created.key })).body, { valid: true, ...owned });
  const { body: rotated } = await request('POST', `/v1/api-keys/${created.id}/rotate`, { graceSeconds: 60 });
  t.match(rotated, owned);
});

t.test('a key without owner and metadata has null', async (t) => {
  const { body } = await request('POST', '/v1/api-keys', { name: 'plain' });
  t.match(body, { ownerId: null, metadata: null });
  t.match((await clientOf(app, { 'x-api-key': body.key })('GET', '/v1/me')).body, { ownerId: null, metadata: null });
});

t.test('a change of owner or metadata applies at once, is an event, and null removes it', async (t) => {
  const { body: created } = await request('POST', '/v1/api-keys', { name: 'changed', ...owned });
  const own = clientOf(app, { 'x-api-key': created.key });
  t.match((await own('GET', '/v1/me')).body, owned);
  const path = `/v1/api-keys/${created.id}`;
  t.match((await request('PATCH', path, { ownerId: 'other' })).body, { ownerId: 'other', metadata });
  t.match((await own('GET', '/v1/me')).body, { ownerId: 'other', metadata });
  t.match((await request('PATCH', path, { metadata: {} })).body, { ownerId: 'other', metadata: {} });
  t.match((await request('PATCH', path, { ownerId: null, metadata: null })).body, { ownerId: null, metadata: null });
  t.match((await own('GET', '/v1/me')).body, { ownerId: null, metadata: null });
  const { body: events } = await request('GET', `${path}/events`);
  t.match(events.data[2].changes, { ownerId: { from: owned.ownerId, to: 'other' } });
});

t.test('owners and metadata that cannot be stored are a 400 that names the field', async (t) => {
  const name = 'refused';
  for (const [body, path] of [
    [{ ownerId: '' }, '/body/ownerId'],
    [{ ownerId: 'x'.repeat(201) }, '/body/ownerId'],
    [{ ownerId: 'a\nb' }, '/body/ownerId'],
    [{ ownerId: 'a\0' }, '/body/ownerId'],
    [{ ownerId: '\ud800' }, '/body/ownerId'],
    [{ metadata: [] }, '/body/metadata'],
    [{ metadata: 'text' }, '/body/metadata'],
    [{ metadata: { a: '\0' } }, '/body/metadata'],
    [{ metadata: { '\0': 1 } }, '/body/metadata'],
    [{ metadata: { a: [{ b: '\udfff' }] } }, '/body/metadata'],
    [{ metadata: { a: `${'ä'.repeat(2_044)}x` } }, '/body/metadata'],
    [{ prefix: 'Live' }, '/body/prefix'],
    [{ prefix: 'a_b' }, '/body/prefix'],
    [{ prefix: 'x'.repeat(17) }, '/body/prefix'],
  ] as const) {
    const answer = await request('POST', '/v1/api-keys', { name, ...body });
    t.match(answer, { status: 400, body: { code: 'VALIDATION_FAILED', errors: [{ path }] } }, JSON.stringify(body));
  }
  t.strictSame((await request('GET', `/v1/api-keys?q=${name}`)).body.data, []);
  const largest = { a: 'ä'.repeat(2_044) };
  t.match(await request('POST', '/v1/api-keys', { name: 'largest', metadata: largest }), { status: 201 });
});

t.test('a key has the prefix that it was created with, and so has the key that replaces it', async (t) => {
  const { body: created } = await request('POST', '/v1/api-keys', { name: 'test key', prefix: 'test' });
  t.match(created, { key: /^test_[0-9A-Za-z]{38}$/, start: /^test_.{8}$/ });
  t.equal((await clientOf(app, { 'x-api-key': created.key })('GET', '/v1/me')).status, 200);
  const { body: rotated } = await request('POST', `/v1/api-keys/${created.id}/rotate`, { graceSeconds: 0 });
  t.match(rotated, { key: /^test_/ });
});

t.test('a value that SQL stores and JSON cannot have as metadata is refused by the database', async (t) => {
  const { id } = await app.apiKeys.create({ name: 'sql' });
  const { pool } = app.database;
  await t.rejects(pool.query(`UPDATE api_keys SET metadata = '[1]' WHERE id = $1`, [id]), { code: '23514' });
  await t.resolves(pool.query(`UPDATE api_keys SET metadata = '{"a": 1}' WHERE id = $1`, [id]));
});
