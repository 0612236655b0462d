import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { checkedKeyOf, type RequestRecord } from '../../plugins/request-log/record.js';
import { PartitionMaintenance } from '../../plugins/request-log/stores/postgres/partition-maintenance.js';
import { clientOf, keyHeaders, startApp } from '../app.js';
import { createTestDatabase, needsPostgres } from '../database.js';
import { checkStatistics } from '../plugins/request-log/sums.js';

// Keys stay cached while a test locks their table.
const app = await startApp({ ...(await createTestDatabase()), KEY_CACHE_TTL_MS: '60000' });
const request = clientOf(app, await keyHeaders(app, 'admin'));
const { pool } = app.database;

/** The usage of today, by outcome. */
async function outcomesOf(query: string): Promise<Record<string, number>> {
  await app.requestLog.flush();
  const { body } = await request('GET', `/v1/usage?${query}`);
  t.equal(
    body.total.count,
    Object.values<number>(body.total.outcomes).reduce((sum, count) => sum + count, 0),
  );
  return body.total.outcomes;
}

/** The newest row of the request log that matches. */
async function rowBy(query: string) {
  await app.requestLog.flush();
  return (await request('GET', `/v1/request-logs?limit=1&${query}`)).body.data[0];
}

t.test('each check of a key counts once, by outcome, wherever it happened', async (t) => {
  const { id, key } = await app.apiKeys.create({ name: 'used', scopes: ['a'], ownerId: 'acme', rateLimitPerMinute: 7 });
  const own = clientOf(app, { 'x-api-key': key });
  t.equal((await own('GET', '/v1/me')).status, 200);
  t.equal((await own('GET', '/v1/api-keys')).status, 403);
  t.equal((await app.inject({ url: '/v1/auth?scope=a', headers: { 'x-api-key': key } })).statusCode, 204);
  t.equal((await own('GET', '/v1/auth?scope=b')).status, 403);
  t.match((await request('POST', '/v1/api-keys/verify', { key, scope: 'a' })).body, { code: 'VALID' });
  t.match((await request('POST', '/v1/api-keys/verify', { key, scope: 'b' })).body, { code: 'INSUFFICIENT_SCOPE' });
  t.equal((await own('GET', '/v1/me')).status, 200);
  t.equal((await own('GET', '/v1/me')).status, 429);
  t.match((await request('POST', '/v1/api-keys/verify', { key })).body, { code: 'RATE_LIMITED' });
  await app.apiKeys.update(id, { active: false });
  t.equal((await own('GET', '/v1/me')).status, 401);
  t.match((await request('POST', '/v1/api-keys/verify', { key })).body, { code: 'DISABLED' });
  await app.apiKeys.update(id, { active: true, expiresAt: new Date(0) });
  t.match((await request('POST', '/v1/api-keys/verify', { key })).body, { code: 'EXPIRED' });
  const expected = { VALID: 4, INSUFFICIENT_SCOPE: 3, RATE_LIMITED: 2, DISABLED: 2, EXPIRED: 1 };
  t.strictSame(await outcomesOf(`apiKeyId=${id}`), expected);
  t.strictSame(await outcomesOf('ownerId=acme'), expected);
  t.match((await request('GET', '/v1/usage/owners')).body.owners, [{ ownerId: 'acme', count: 12, outcomes: expected }]);
  await checkStatistics(t, pool);
});

t.test('the row of a verification has the verified key, the outcome and the described request', async (t) => {
  const { id, key } = await app.apiKeys.create({ name: 'verified', ownerId: 'acme' });
  const described = { ip: '[2001:DB8::1]:443', method: 'GET', path: '/orders?secret=1', tags: ['eu', 'Käufer'] };
  await request('POST', '/v1/api-keys/verify', { key, ...described });
  const row = {
    ...{ verifiedApiKeyId: id, ownerId: 'acme', outcome: 'VALID', path: '/v1/api-keys/verify' },
    verification: { ip: '2001:db8::1', method: 'GET', path: '/orders', tags: ['eu', 'Käufer'] },
  };
  t.match(await rowBy(`verifiedApiKeyId=${id}`), row);
  const { headers, body } = await app
    .inject({
      url: `/v1/request-logs/export?format=csv&verifiedApiKeyId=${id}`,
      headers: await keyHeaders(app, 'admin'),
    })
    .then(({ headers, body }) => ({ headers, body }));
  t.match(headers, { 'content-type': /csv/ });
  t.match(body, `,VALID,acme,${id},"{""ip"":""2001:db8::1""`);

  await request('POST', '/v1/api-keys/verify', { key: generateKey('mez') });
  t.match(await rowBy('path=/v1/api-keys/verify'), {
    outcome: 'NOT_FOUND',
    verifiedApiKeyId: null,
    verification: {},
    ownerId: null,
  });
});

t.test('the row of a request has the outcome of its key, also of one that is denied', async (t) => {
  const { id, key } = await app.apiKeys.create({ name: 'denied', ownerId: 'other' });
  await app.apiKeys.update(id, { active: false });
  await clientOf(app, { 'x-api-key': key })('GET', '/v1/me');
  t.match(await rowBy(`apiKeyId=${id}`), {
    statusCode: 401,
    outcome: 'DISABLED',
    ownerId: 'other',
    verification: null,
  });
  t.match(await rowBy('ownerId=other'), { apiKeyId: id });
  t.equal((await app.apiKeys.get(id)).lastUsed, null, 'a disabled key is not used');
});

t.test(
  'a check counts even if the client disconnects during the lookup of the key',
  { skip: needsPostgres },
  async (t) => {
    const { id, key } = await app.apiKeys.create({ name: 'disconnected', ownerId: 'hasty' });
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address() as AddressInfo;
    const admin = await keyHeaders(app, 'verify');
    t.equal((await clientOf(app, admin)('POST', '/v1/api-keys/verify', { key: generateKey('mez') })).status, 200);
    const body = JSON.stringify({ key });
    const requests = [
      `GET /v1/me HTTP/1.1\r\nhost: x\r\nx-api-key: ${key}\r\n\r\n`,
      `POST /v1/api-keys/verify HTTP/1.1\r\nhost: x\r\nauthorization: ${admin.authorization}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    ];

    const records: RequestRecord[] = [];
    app.requestLog.onRecord((added) => records.push(...added));
    const { counts } = app.apiKeys.cache;
    const lock = await pool.connect();
    let valid = 0;
    for (const text of requests) {
      // Repeated when a busy machine answered first, the lookup took too long, or it was another one.
      for (let isCounted = false; !isCounted; ) {
        // Removes the key from the cache.
        await app.apiKeys.update(id, { name: `disconnected ${performance.now()}` });
        await app.requestLog.flush();
        records.length = 0;
        await lock.query('BEGIN; LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE');
        const lookups = counts.lookups;
        const accepted = once(app.server, 'connection');
        const client = connect(port, '127.0.0.1', () => client.write(text));
        const [socket] = (await accepted) as [Socket];
        while (counts.lookups === lookups && client.bytesRead === 0)
          await new Promise((resolve) => setImmediate(resolve));
        const closed = once(socket, 'close');
        client.destroy();
        await closed;
        await lock.query('ROLLBACK');
        // Shares the lookup.
        await app.apiKeys.verify(key);
        while (records.length === 0) await app.requestLog.flush();
        const [record] = records as [RequestRecord];
        const { outcome } = checkedKeyOf(record);
        // A verification whose client disconnects during the lookup of the caller's own key does not begin.
        const isChecked = (record.verification ?? record).apiKeyId === id && outcome === 'VALID';
        if (isChecked) valid++;
        isCounted = isChecked && record.statusCode === 499;
      }
    }
    lock.release();
    t.equal((await outcomesOf(`apiKeyId=${id}`)).VALID, valid);
    t.match(await rowBy(`apiKeyId=${id}`), { path: '/v1/me', statusCode: 499, ownerId: 'hasty', outcome: 'VALID' });
    t.match(await rowBy(`verifiedApiKeyId=${id}`), { path: '/v1/api-keys/verify', statusCode: 499, outcome: 'VALID' });
  },
);

t.test('usage belongs to the owner at the time of the check', async (t) => {
  const { id, key } = await app.apiKeys.create({ name: 'moved', ownerId: 'before' });
  const own = clientOf(app, { 'x-api-key': key });
  await own('GET', '/v1/me');
  await app.apiKeys.update(id, { ownerId: 'after' });
  await own('GET', '/v1/me');
  t.strictSame(await outcomesOf('ownerId=before'), { VALID: 1 });
  t.strictSame(await outcomesOf('ownerId=after'), { VALID: 1 });
  t.strictSame(await outcomesOf(`apiKeyId=${id}`), { VALID: 2 });
  t.strictSame(await outcomesOf(`apiKeyId=${id}&ownerId=after`), { VALID: 1 });
});

t.test('usage has a series by interval, and merging shards does not change it', async (t) => {
  const { id, key } = await app.apiKeys.create({ name: 'series' });
  await clientOf(app, { 'x-api-key': key })('GET', '/v1/me');
  await app.requestLog.flush();
  const read = async (interval: number) =>
    (await request('GET', `/v1/usage?apiKeyId=${id}&interval=${interval}`)).body.series;
  for (const interval of [60, 3_600, 86_400])
    t.match(await read(interval), [{ count: 1, outcomes: { VALID: 1 }, start: /Z$/ }], `${interval}`);
  // As if it were two days old, so that its shard is merged.
  await pool.query(`UPDATE key_usage SET start = start - interval '2 days', shard = 15 WHERE "apiKeyId" = $1`, [id]);
  const options = { retentionDays: 0, statsRetentionDays: 0, eventsRetentionDays: 0 };
  t.match(await new PartitionMaintenance(app.database, options, app.log).run(), { failures: 0 });
  const { rows } = await pool.query(`SELECT DISTINCT shard FROM key_usage WHERE "apiKeyId" = $1`, [id]);
  t.strictSame(rows, [{ shard: 0 }]);
  const from = new Date(Date.now() - 3 * 86_400_000).toISOString();
  t.match((await request('GET', `/v1/usage?apiKeyId=${id}&from=${from}`)).body.total, { count: 1 });
});

t.test('an invalid question is a 400 that names the field, and other keys are denied', async (t) => {
  for (const [method, path, body, field] of [
    ['GET', '/v1/usage', undefined, '/querystring/ownerId'],
    ['GET', '/v1/usage?apiKeyId=x', undefined, '/querystring/apiKeyId'],
    ['GET', '/v1/usage?ownerId=a&interval=61', undefined, '/querystring/interval'],
    ['GET', '/v1/usage/owners?from=2030-01-01T00:00:00Z&to=2029-01-01T00:00:00Z', undefined, '/querystring/from'],
    ['POST', '/v1/api-keys/verify', { key: 'k', ip: 'nowhere' }, '/body/ip'],
    ['POST', '/v1/api-keys/verify', { key: 'k', path: 'orders' }, '/body/path'],
    ['POST', '/v1/api-keys/verify', { key: 'k', method: 'get it' }, '/body/method'],
    ['POST', '/v1/api-keys/verify', { key: 'k', tags: ['1', '2', '3', '4', '5', '6'] }, '/body/tags'],
    ['POST', '/v1/api-keys/verify', { key: 'k', tags: ['a\0'] }, '/body/tags/0'],
  ] as const)
    t.match(await request(method, path, body), { status: 400, body: { errors: [{ path: field }] } }, path);
  const verifier = clientOf(app, await keyHeaders(app, 'verify'));
  for (const path of ['/v1/usage?ownerId=a', '/v1/usage/owners']) t.equal((await verifier('GET', path)).status, 403);
});
