import t from 'tap';
import { clientOf, keyHeaders, startApp } from '../app.js';
import { createTestDatabase } from '../database.js';

const app = await startApp(await createTestDatabase());
const admin = await keyHeaders(app, 'admin');
const manager = await keyHeaders(app, 'keys:*');
const exportWith = (headers: Record<string, string>) => app.inject({ url: '/v1/api-keys/export', headers });

t.test('an export has every key without its secret, and another service accepts the same keys from it', async (t) => {
  const fields = { scopes: ['orders:read'], ownerId: 'acme', metadata: { plan: 'pro' }, allowedIps: ['127.0.0.0/8'] };
  const rateLimits = [
    { name: 'minute', limit: 600, windowSeconds: 60 },
    { name: 'burst', limit: 90, windowSeconds: 600 },
  ];
  const quota = { limit: 1_000, period: 'month' } as const;
  const kept = await app.apiKeys.create({ name: 'kept', ...fields, rateLimits, quota });
  const deleted = await app.apiKeys.create({ name: 'deleted' });
  await app.apiKeys.remove(deleted.id);
  const response = await exportWith(admin);
  t.equal(response.statusCode, 200);
  t.match(response.headers, {
    'content-type': 'application/x-ndjson',
    'content-disposition': 'attachment; filename="api-keys.ndjson"',
  });
  t.notMatch(response.body, kept.key);
  const keys = response.body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.equal(keys.length, 4);

  const other = await startApp(await createTestDatabase());
  const importInto = clientOf(other, await keyHeaders(other, 'admin'));
  const counts = { created: 3, unchanged: 0, deleted: 1, failed: 0 };
  t.match((await importInto('POST', '/v1/api-keys/import', { keys })).body, counts);
  t.match((await importInto('POST', '/v1/api-keys/import', { keys })).body, { ...counts, created: 0, unchanged: 3 });
  t.match((await clientOf(other, { 'x-api-key': kept.key })('GET', '/v1/me')).body, {
    ...{ id: kept.id, ownerId: 'acme', metadata: { plan: 'pro' } },
    ...{ rateLimits, quota: { ...quota, used: 1 } },
  });
  t.equal((await clientOf(other, { 'x-api-key': deleted.key })('GET', '/v1/me')).status, 401);
  t.equal(await other.apiKeys.adopt(deleted.key, { name: 'deleted' }), 'revoked');

  const { sha256 } = keys.find(({ id }) => id === kept.id);
  await importInto('POST', '/v1/api-keys/import', { keys: [{ sha256, deleted: true }] });
  t.equal((await clientOf(other, { 'x-api-key': kept.key })('GET', '/v1/me')).status, 200, 'a stored key stays');
  const again: string[] = [];
  for await (const page of other.apiKeys.exportKeys()) again.push(page);
  t.notMatch(again.join(''), `{"sha256":"${sha256}","deleted":true}`);
});

t.test('only an administrator can export, and mark keys as deleted', async (t) => {
  t.equal((await exportWith(manager)).statusCode, 403);
  const keys = [{ sha256: 'a'.repeat(64), deleted: true }];
  t.match((await clientOf(app, manager)('POST', '/v1/api-keys/import', { keys })).body, {
    ...{ deleted: 0, failed: 1 },
    results: [{ line: 1, status: 'error', path: '/deleted', message: 'requires the scope admin' }],
  });
});
