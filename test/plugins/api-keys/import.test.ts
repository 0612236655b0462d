import { createHash, randomBytes } from 'node:crypto';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { clientOf, keyHeaders, startApp } from '../../app.js';
import { createTestDatabase } from '../../database.js';

const app = await startApp(await createTestDatabase());
const admin = clientOf(app, await keyHeaders(app, 'admin'));
const sha256 = (key: string, encoding: 'hex' | 'base64' = 'hex') => createHash('sha256').update(key).digest(encoding);
const foreignKey = () => `sk_live_${randomBytes(12).toString('base64url')}`;
const statusWith = async (key: string) =>
  (await app.inject({ url: '/v1/me', headers: { authorization: `Bearer ${key}` } })).statusCode;

async function importAll(...keys: object[]) {
  const { status, body } = await admin('POST', '/v1/api-keys/import', { keys });
  t.equal(status, 200, JSON.stringify(body));
  return body;
}

t.test('only while there are foreign keys, a text of another format costs a lookup', async (t) => {
  const untilNoLookup = async () => {
    for (let before = -1; app.apiKeys.cache.counts.lookups !== before; ) {
      before = app.apiKeys.cache.counts.lookups;
      t.equal(await statusWith(foreignKey()), 401);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  await untilNoLookup();
  const key = foreignKey();
  const { results } = await importAll({ sha256: sha256(key), name: 'the only one' });
  while ((await statusWith(key)) !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal((await admin('DELETE', `/v1/api-keys/${results[0].id}`)).status, 204);
  await untilNoLookup();
});

t.test('imported keys of any format work, with all of their fields', async (t) => {
  const [hex, base64, ours] = [foreignKey(), foreignKey(), generateKey('old')];
  const fields = {
    ...{ name: 'legacy', scopes: ['orders:*'], ownerId: 'acme', metadata: { plan: 'pro' }, rateLimitPerMinute: 5 },
    ...{ allowedIps: ['127.0.0.9/8'], expiresAt: '2999-01-01T00:00:00.000Z', start: 'sk_live_', active: true },
    createdAt: '2020-02-02T02:02:02.000Z',
  };
  const body = await importAll(
    { sha256: sha256(hex), ...fields },
    { sha256: sha256(base64, 'base64'), name: 'minimal' },
    { sha256: sha256(ours).toUpperCase(), name: 'ours', format: 'musicez' },
  );
  t.match(body, { created: 3, unchanged: 0, failed: 0 });
  for (const key of [hex, base64, ours]) {
    // Every replica learns within a second that there are foreign keys.
    while ((await statusWith(key)) !== 200) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.match((await admin('GET', `/v1/api-keys/${body.results[0].id}`)).body, {
    ...fields,
    allowedIps: ['127.0.0.0/8'],
  });
  t.match((await admin('GET', `/v1/api-keys/${body.results[0].id}/events`)).body.data, [{ action: 'created' }]);
  t.match((await admin('POST', '/v1/api-keys/verify', { key: base64 })).body, { code: 'VALID', name: 'minimal' });
});

t.test(
  'an import can be repeated: a key that is there stays as it is, one that was deleted stays deleted',
  async (t) => {
    const [kept, deleted] = [foreignKey(), foreignKey()];
    const entries = [kept, deleted].map((key) => ({ sha256: sha256(key), name: 'again' }));
    const { results } = await importAll(...entries);
    await admin('PATCH', `/v1/api-keys/${results[0].id}`, { name: 'renamed' });
    await admin('DELETE', `/v1/api-keys/${results[1].id}`);
    t.match(await importAll(...entries, entries[0] as object), {
      created: 0,
      unchanged: 2,
      failed: 1,
      results: [
        { line: 1, status: 'unchanged', id: results[0].id },
        { line: 2, status: 'error', message: /deleted/ },
        { line: 3, status: 'unchanged', id: results[0].id },
      ],
    });
    t.match((await admin('GET', `/v1/api-keys/${results[0].id}`)).body, { name: 'renamed' });
    t.equal(await statusWith(deleted), 401);
  },
);

t.test('an invalid entry is reported with its line and field, and does not affect the others', async (t) => {
  const good = foreignKey();
  const { results: used } = await importAll({ sha256: sha256(foreignKey()), name: 'used' });
  const valid = { sha256: sha256(foreignKey()), name: 'n' };
  const cases: [entry: unknown, path: string][] = [
    [null, ''],
    ['text', ''],
    [{ name: 'n' }, '/sha256'],
    [{ ...valid, sha256: 'abc' }, '/sha256'],
    [{ ...valid, name: '' }, '/name'],
    [{ key: foreignKey(), name: 'n' }, '/key'],
    [{ ...valid, surprise: 1 }, '/surprise'],
    [{ ...valid, scopes: ['*'] }, '/scopes/0'],
    [{ ...valid, expiresAt: 'tomorrow' }, '/expiresAt'],
    [{ ...valid, metadata: { a: '\0' } }, '/metadata'],
    [{ ...valid, allowedIps: ['host'] }, '/allowedIps/0'],
    [{ ...valid, start: 'a\nb' }, '/start'],
    [{ ...valid, id: used[0].id }, '/id'],
  ];
  const body = await importAll(...cases.map(([entry]) => entry as object), {
    sha256: sha256(good),
    name: 'the only good one',
  });
  t.match(body, { created: 1, unchanged: 0, failed: cases.length });
  for (const [i, [entry, path]] of cases.entries())
    t.match(body.results[i], { line: i + 1, status: 'error', path, message: /./ }, JSON.stringify(entry));
  t.equal(await statusWith(good), 200);
});

t.test('a key imports no more rights than it has', async (t) => {
  const limited = clientOf(app, await keyHeaders(app, 'keys:write', 'orders:*'));
  const keys = [['orders:read'], ['admin'], ['logs:read', 'orders:read']].map((scopes) => ({
    ...{ sha256: sha256(foreignKey()), name: 'rights' },
    scopes,
  }));
  t.match((await limited('POST', '/v1/api-keys/import', { keys })).body, {
    created: 1,
    failed: 2,
    results: [{ status: 'created' }, { path: '/scopes' }, { path: '/scopes' }],
  });
});

t.test('the history of a key can be imported by an administrator only, and never that of a deleted key', async (t) => {
  const manager = clientOf(app, await keyHeaders(app, 'keys:write'));
  const entry = () => ({ sha256: sha256(foreignKey()), name: 'history' });
  const id = '00000000-0000-4000-8000-00000000abcd';
  for (const field of [{ id }, { lastUsed: '2020-01-01T00:00:00Z' }, { replaces: id }, { replacedBy: id }]) {
    const { body } = await manager('POST', '/v1/api-keys/import', { keys: [{ ...entry(), ...field }] });
    t.match(body.results, [{ status: 'error', path: `/${Object.keys(field)[0]}` }]);
  }
  const { body: deleted } = await admin('POST', '/v1/api-keys', { name: 'deleted' });
  await admin('DELETE', `/v1/api-keys/${deleted.id}`);
  t.match(await importAll({ ...entry(), id: deleted.id }), { results: [{ status: 'error', path: '/id' }] });
  t.match(await importAll({ ...entry(), id }), { results: [{ status: 'created', id }] });
});

t.test('the start of an imported key is never the whole key', async (t) => {
  const key = 'short-key';
  t.match(await importAll({ sha256: sha256(key), name: 'short', start: key }), { results: [{ path: '/start' }] });
});

t.test('no more than 1,000 keys are imported at once', async (t) => {
  const keys = Array.from({ length: 1_001 }, () => ({ sha256: sha256(foreignKey()), name: 'many' }));
  t.match(await admin('POST', '/v1/api-keys/import', { keys }), {
    status: 400,
    body: { errors: [{ path: '/body/keys' }] },
  });
  t.match(await importAll(...keys.slice(1)), { created: 1_000 });
});
