import t from 'tap';
import { clientOf, keyHeaders, startApp } from '../app.js';
import { createTestDatabase } from '../database.js';

const app = await startApp(await createTestDatabase());
const request = clientOf(app, await keyHeaders(app, 'admin'));
const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const unusedId = '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07';

t.test('a created key is shown once, with all of its fields', async (t) => {
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  const { status, headers, body } = await request('POST', '/v1/api-keys', {
    name: 'ci',
    scopes: ['read', 'a:b'],
    expiresAt,
  });
  t.equal(status, 201);
  t.equal(headers.location, `/v1/api-keys/${body.id}`);
  t.match(body, { name: 'ci', scopes: ['read', 'a:b'], active: true, expiresAt, lastUsed: null });
  t.match(body, { key: /^mez_[0-9A-Za-z]{38}$/, createdAt: isoTime, updatedAt: isoTime });
  t.ok(body.key.startsWith(body.start));
  t.equal((await clientOf(app, { 'x-api-key': body.key })('GET', '/v1/me')).status, 200);

  const { key, ...publicFields } = body;
  t.strictSame((await request('GET', `/v1/api-keys/${body.id}`)).body, publicFields);
  t.notMatch(JSON.stringify((await request('GET', '/v1/api-keys')).body), key);
});

t.test('pages list every key once, newest first', async (t) => {
  const names = Array.from({ length: 7 }, (_, i) => `page ${i}`);
  for (const name of names) await app.apiKeys.create({ name });
  const listed: string[] = [];
  let cursor: string | null = null;
  do {
    const page: string = cursor ? `&cursor=${cursor}` : '';
    const { body } = await request('GET', `/v1/api-keys?limit=3${page}`);
    t.ok(body.data.length <= 3);
    listed.push(...body.data.map(({ name }: { name: string }) => name));
    cursor = body.nextCursor;
  } while (cursor);
  t.strictSame(
    listed.filter((name) => name.startsWith('page')),
    names.reverse(),
  );
});

t.test('a patch changes only the given fields', async (t) => {
  const { body: created } = await request('POST', '/v1/api-keys', { name: 'before', scopes: ['a'] });
  const path = `/v1/api-keys/${created.id}`;
  t.match(await request('PATCH', path, { name: 'after' }), {
    status: 200,
    body: { name: 'after', scopes: ['a'], active: true },
  });
  t.match(await request('PATCH', path, { scopes: [], active: false }), {
    body: { name: 'after', scopes: [], active: false },
  });
  const expiresAt = '2030-01-31T01:00:00.000Z';
  t.match(await request('PATCH', path, { expiresAt: '2030-01-31T02:00:00+01:00' }), { body: { expiresAt } });
  t.match(await request('PATCH', path, { expiresAt: null }), { body: { expiresAt: null } });
});

t.test('a key can be deleted once, and then returns 404', async (t) => {
  const { body } = await request('POST', '/v1/api-keys', { name: 'gone' });
  t.match(await request('DELETE', `/v1/api-keys/${body.id}`), { status: 204, body: null });
  t.match(await request('DELETE', `/v1/api-keys/${body.id}`), { status: 404, body: { code: 'API_KEY_NOT_FOUND' } });
});

t.test('an unknown key returns 404 for every method', async (t) => {
  t.match(await request('GET', `/v1/api-keys/${unusedId}`), { status: 404, body: { code: 'API_KEY_NOT_FOUND' } });
  t.match(await request('PATCH', `/v1/api-keys/${unusedId}`, { name: 'x' }), { status: 404 });
  t.match(await request('DELETE', `/v1/api-keys/${unusedId}`), { status: 404 });
});

t.test('invalid input returns 400 with the name of the field, and changes nothing', async (t) => {
  const before = await app.prisma.apiKey.count();
  const name = 'n';
  const cases: [body: object, path: string][] = [
    [{}, '/body/name'],
    [{ name: '' }, '/body/name'],
    [{ name: 7 }, '/body/name'],
    [{ name: null }, '/body/name'],
    [{ name: 'x'.repeat(101) }, '/body/name'],
    [{ name: 'a\u0000b' }, '/body/name'],
    [{ name: '\ud800' }, '/body/name'],
    [{ name, admin: true }, '/body/admin'],
    [{ name, __proto__x: 1 }, '/body/__proto__x'],
    [{ name, scopes: 'admin' }, '/body/scopes'],
    [{ name, scopes: ['No Caps'] }, '/body/scopes/0'],
    [{ name, scopes: ['a', 'a'] }, '/body/scopes'],
    [{ name, scopes: Array.from({ length: 33 }, (_, i) => `s${i}`) }, '/body/scopes'],
    [{ name, expiresAt: 'tomorrow' }, '/body/expiresAt'],
    [{ name, expiresAt: '2030-02-30T00:00:00Z' }, '/body/expiresAt'],
    [{ name, expiresAt: '0000-01-01T00:00:00Z' }, '/body/expiresAt'],
    [{ name, expiresAt: '2026-12-31T23:59:60Z' }, '/body/expiresAt'],
    [{ name, expiresAt: '9999-12-31T23:59:59-12:00' }, '/body/expiresAt'],
    [{ name, expiresAt: '2020-01-01T00:00:00Z' }, '/body/expiresAt'],
    [{ name, expiresAt: 1_900_000_000 }, '/body/expiresAt'],
  ];
  for (const [body, path] of cases) {
    const response = await request('POST', '/v1/api-keys', body);
    t.match(response, { status: 400, body: { code: 'VALIDATION_FAILED', errors: [{ path }] } }, JSON.stringify(body));
    t.match(response.body.detail, path);
  }
  t.equal(await app.prisma.apiKey.count(), before);
});

t.test('a patch without fields or with unknown, read-only or invalid fields is rejected', async (t) => {
  for (const body of [{}, { key: 'x' }, { id: unusedId }, { lastUsed: null }, { active: 'yes' }]) {
    t.match(await request('PATCH', `/v1/api-keys/${unusedId}`, body), { status: 400 }, JSON.stringify(body));
  }
});

t.test('an invalid id, cursor or limit is rejected with the name of the parameter', async (t) => {
  const cases = [
    ['/v1/api-keys/1', '/params/id'],
    [`/v1/api-keys/urn:uuid:${unusedId}`, '/params/id'],
    [`/v1/api-keys/${unusedId.toUpperCase()}`, '/params/id'],
    ['/v1/api-keys?cursor=x', '/querystring/cursor'],
    ['/v1/api-keys?limit=0', '/querystring/limit'],
    ['/v1/api-keys?limit=501', '/querystring/limit'],
    ['/v1/api-keys?limit=ten', '/querystring/limit'],
    ['/v1/api-keys?limit=-Infinity', '/querystring/limit'],
    ['/v1/api-keys?limit=1&limit=2', '/querystring/limit'],
    ['/v1/api-keys?offset=1', '/querystring/offset'],
  ] as const;
  for (const [url, path] of cases) {
    const { status, body } = await request('GET', url);
    t.match({ status, errors: body.errors }, { status: 400, errors: [{ path }] }, url);
  }
});
