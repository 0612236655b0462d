import type { FastifyInstance } from 'fastify';
import { parseList } from 'structured-headers';
import t from 'tap';
import { clock } from '../../../plugins/clock.js';
import { windowAt } from '../../../plugins/limits/quota.js';
import type { QuotaCharge } from '../../../plugins/limits/quota-counter.js';
import { Spool } from '../../../plugins/request-log/spool/index.js';
import { RequestLogWriter } from '../../../plugins/request-log/writer.js';
import { buildApp } from '../../../src/app.js';
import { loadConfig } from '../../../src/config/index.js';
import { clientOf, keyHeaders, startApp } from '../../app.js';
import { createTestDatabase, needsPostgres } from '../../database.js';
import { record, writerStore } from '../request-log/records.js';

const own = await createTestDatabase();
const app = await buildApp(loadConfig({ LOG_LEVEL: 'silent', ...own }));
t.teardown(() => app.close());
const twice = [app.requireApiKey(), app.requireApiKey(undefined, { cost: 5 })];
app.get('/twice', { onRequest: twice }, async () => ({ done: true }));
await app.ready();
await app.database.ready;
const admin = clientOf(app, await keyHeaders(app, 'admin'));
const month = { limit: 3, period: 'month' };

async function createKey(fields: object) {
  const { status, body } = await admin('POST', '/v1/api-keys', { name: 'metered', ...fields });
  t.equal(status, 201);
  return { ...body, get: clientOf(app, { 'x-api-key': body.key }) };
}

const verify = async (key: string, fields: object = {}) =>
  (await admin('POST', '/v1/api-keys/verify', { key, ...fields })).body;

async function untilWritten({ requestLog }: FastifyInstance) {
  while (requestLog.counts.spooled + requestLog.counts.buffered > 0)
    await new Promise((resolve) => setTimeout(resolve, 10));
}

const firstOfNextMonth = () => {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1)).toISOString();
};

t.test('a quota counts every valid check of a key, and answers 429 QUOTA_EXCEEDED until it resets', async (t) => {
  const { id, key, get, quota } = await createKey({ quota: month });
  const state = { ...month, resetsAt: firstOfNextMonth() };
  t.strictSame(quota, { ...state, used: 0, remaining: 3 });
  t.match(await get('GET', '/v1/me'), {
    status: 200,
    body: { quota: { ...state, used: 1, remaining: 2 }, ownerQuota: null },
  });
  t.match(await verify(key), { valid: true, quota: { used: 2, remaining: 1 } });
  t.equal((await get('GET', '/v1/api-keys')).status, 403, 'a request that is denied by scope is not charged');
  const last = await get('GET', '/v1/auth');
  t.equal(last.status, 204);
  t.strictSame(
    parseList(String(last.headers['ratelimit-policy'])).map(([name]) => name),
    ['quota'],
  );
  t.match(last.headers, { 'ratelimit-limit': '3', 'ratelimit-remaining': '0' });
  const denied = await get('GET', '/v1/me');
  t.match(denied, {
    status: 429,
    body: {
      code: 'QUOTA_EXCEEDED',
      detail: `the quota of this API key, 3 requests a month, is used up until ${state.resetsAt}`,
    },
  });
  t.equal(Number(denied.headers['retry-after']), Math.min(86_400, Number(denied.headers['ratelimit-reset'])));
  t.match(await verify(key), { valid: false, code: 'QUOTA_EXCEEDED', quota: { used: 3, remaining: 0 } });
  t.match(await get('GET', '/v1/auth?rateLimited=429'), {
    status: 429,
    headers: { 'x-api-key-denial': 'QUOTA_EXCEEDED' },
  });
  t.equal((await get('GET', '/v1/auth')).status, 403);
  await app.requestLog.flush();
  t.match(await admin('GET', `/v1/api-keys/${id}`), { body: { quota: { ...state, used: 3, remaining: 0 } } });
  t.match((await admin('GET', '/v1/api-keys')).body.data[0], { id, quota: { used: 3 } });
  t.match((await admin('GET', `/v1/usage?apiKeyId=${id}`)).body.total.outcomes, { VALID: 3, QUOTA_EXCEEDED: 4 });
});

t.test(
  'the cost of a request counts for quotas; one that is denied by a limit or a quota is charged to none',
  async (t) => {
    const ownerId = 'cost';
    await admin('PUT', `/v1/owners/${ownerId}/limits`, { quota: { limit: 10, period: 'day' } });
    const rateLimits = [{ name: 'hour', limit: 8, windowSeconds: 3_600 }];
    const { key } = await createKey({ ownerId, rateLimits, quota: { limit: 20, period: 'month' } });
    t.match(await verify(key, { cost: 5 }), { valid: true, quota: { used: 5 }, ownerQuota: { used: 5 } });
    t.match(await verify(key, { cost: 4 }), { code: 'RATE_LIMITED', quota: { used: 5 }, ownerQuota: { used: 5 } });
    t.match(await verify(key, { cost: 6 }), {
      ...{ code: 'QUOTA_EXCEEDED', quota: { used: 5 }, ownerQuota: { used: 5 }, rateLimits: [{ remaining: 3 }] },
    });
    t.match(await verify(key, { cost: 0 }), { valid: true, quota: { used: 5 }, rateLimits: [{ remaining: 3 }] });
    const { key: other } = await createKey({ ownerId });
    t.match(await verify(other, { cost: 5 }), { valid: true, quota: null, ownerQuota: { used: 10, remaining: 0 } });
    t.match(await verify(other, { cost: 0 }), { valid: false, code: 'QUOTA_EXCEEDED' }, 'a request would be denied');
    t.match(await clientOf(app, { 'x-api-key': other })('GET', '/v1/me'), {
      status: 429,
      body: { detail: /^the quota of the owner of this API key, 10 requests a day, is used up until \d{4}-/ },
    });
  },
);

t.test('the count of a quota survives a restart', async (t) => {
  const database = await createTestDatabase();
  const first = await startApp(database);
  await first.apiKeys.setOwnerLimits('acme', { quota: { limit: 5, period: 'month' } });
  const { key } = await first.apiKeys.create({ name: 'kept', ownerId: 'acme', quota: { limit: 4, period: 'day' } });
  const requests = clientOf(first, { 'x-api-key': key });
  for (let i = 0; i < 4; i++) t.equal((await requests('GET', '/v1/me')).status, 200);
  await first.close();
  const second = await startApp(database);
  t.match(await second.apiKeys.verify(key), { code: 'QUOTA_EXCEEDED' });
  await second.close();
});

t.test('a rotated key shares the count of its successor until one of them is reset', async (t) => {
  const { id, key, get } = await createKey({ quota: month });
  for (let i = 0; i < 3; i++) t.equal((await get('GET', '/v1/me')).status, 200);
  const { body: rotated } = await admin('POST', `/v1/api-keys/${id}/rotate`, {});
  t.match(await verify(rotated.key), { code: 'QUOTA_EXCEEDED' }, 'a rotation does not renew the quota');
  await app.requestLog.flush();
  t.match((await admin('GET', `/v1/api-keys/${rotated.id}`)).body.quota, { ...month, used: 3 });
  t.match(await admin('PATCH', `/v1/api-keys/${rotated.id}`, { resetQuota: true }), { body: { quota: { used: 0 } } });
  t.match(await verify(rotated.key), { valid: true, quota: { used: 1, remaining: 2 } });
  t.match(await verify(key), { code: 'QUOTA_EXCEEDED' }, 'the reset is of one key');
  t.match(await admin('PATCH', `/v1/api-keys/${id}`, { quota: null }), { body: { quota: null } });
  t.match(await verify(key), { valid: true, quota: null });
});

t.test('a quota resets at the start of each day or month in UTC', async (t) => {
  const at = (text: string) => Date.parse(text);
  t.match(windowAt('day', null, at('2027-02-28T23:59:59.999Z')), {
    ...{ start: at('2027-02-28T00:00:00Z'), endsAt: at('2027-03-01T00:00:00Z'), periodSeconds: 86_400 },
  });
  t.match(windowAt('month', null, at('2028-02-29T12:00:00Z')), {
    ...{ start: at('2028-02-01T00:00:00Z'), endsAt: at('2028-03-01T00:00:00Z'), periodSeconds: 29 * 86_400 },
  });
  const resetAt = at('2027-12-05T10:00:00Z');
  t.match(windowAt('month', resetAt, at('2027-12-31T00:00:00Z')), {
    start: resetAt,
    endsAt: at('2028-01-01T00:00:00Z'),
  });
  t.match(windowAt('month', resetAt, at('2028-01-01T00:00:00Z')), { start: at('2028-01-01T00:00:00Z') });

  const { key, get } = await createKey({ quota: { limit: 1, period: 'month' } });
  t.equal((await get('GET', '/v1/me')).status, 200);
  t.equal((await get('GET', '/v1/me')).status, 429);
  const nextMonth = Date.parse(firstOfNextMonth());
  const now = clock.now.bind(clock);
  const ahead = nextMonth - now();
  t.intercept(clock, 'now', { value: () => now() + ahead });
  t.match(await verify(key), { valid: true, quota: { used: 1, remaining: 0 } });
});

t.test('what a dropped record has used of a quota is settled with a later record', async (t) => {
  const settled: QuotaCharge[] = [];
  const quotas = { settle: (charges: readonly QuotaCharge[]) => void settled.push(...charges) };
  const spool = new Spool({ directory: t.testdir(), maxBytes: 0 }, app.log);
  const writer = new RequestLogWriter(
    writerStore(app.database, app.log, quotas),
    spool,
    { flushIntervalMs: 5, bufferRows: 1 },
    app.log,
  );
  const charge = { kind: 'key', id: 'dropped', start: 0, units: 2, replica: 'a' } as const;
  writer.push(record());
  for (let i = 0; i < 3; i++) writer.push(record({ charges: [charge] }));
  await writer.flush();
  writer.push(record({ charges: [{ ...charge, units: 5 }] }));
  await writer.close();
  t.strictSame(settled, [
    { ...charge, units: 5 },
    { ...charge, units: 6 },
  ]);
  t.equal(writer.counts.dropped, 3);
  const { rows } = await app.database.pool.query(`SELECT used::int FROM quota_usage WHERE id = 'dropped'`);
  t.strictSame(rows, [{ used: 11 }]);
});

t.test('charges that the database rejects do not spoil later records', async (t) => {
  const spool = new Spool({ directory: t.testdir(), maxBytes: 0 }, app.log);
  const writer = new RequestLogWriter(
    writerStore(app.database, app.log),
    spool,
    { flushIntervalMs: 5, bufferRows: 10 },
    app.log,
  );
  const charge = { kind: 'key', id: 'odd', start: -Number.MAX_SAFE_INTEGER, units: 1, replica: 'a' } as const;
  writer.push(record({ charges: [charge] }));
  await writer.flush();
  writer.push(record());
  await writer.close();
  t.match(writer.counts, { written: 1, dropped: 1 });
});

t.test('two checks of one request are both settled', async (t) => {
  const { id, key, get } = await createKey({ scopes: ['verify'], quota: { limit: 100, period: 'day' } });
  const other = await createKey({ quota: { limit: 100, period: 'day' } });
  await clientOf(app, { 'x-api-key': key })('POST', '/v1/api-keys/verify', { key: other.key, cost: 7 });
  t.equal((await get('GET', '/twice')).body.done, true);
  await app.requestLog.flush();
  t.match((await admin('GET', `/v1/api-keys/${id}`)).body.quota, { used: 1 + 1 + 5 });
  t.match((await admin('GET', `/v1/api-keys/${other.id}`)).body.quota, { used: 7 });
});

t.test('80 and 100 % of a quota are reported once, as an event and in a metric', { skip: needsPostgres }, async (t) => {
  const database = await createTestDatabase();
  const replicas = await Promise.all([startApp(database), startApp(database)]);
  const [one, other] = replicas;
  const { id, key } = await one.apiKeys.create({
    name: 'metered',
    ownerId: 'acme',
    quota: { limit: 10, period: 'month' },
  });
  await one.apiKeys.setOwnerLimits('acme', { quota: { limit: 11, period: 'month' } });
  const use = async (count: number) => {
    for (let i = 0; i < count; i++) await replicas[i % 2]?.inject({ url: '/v1/me', headers: { 'x-api-key': key } });
    for (const replica of replicas) await replica.requestLog.flush();
  };
  const eventsOf = async () =>
    (await one.apiKeys.listEvents({ limit: 100 })).filter(({ action }) => action.startsWith('quota'));
  const untilReported = async (count: number) => {
    while ((await eventsOf()).length < count) await new Promise((resolve) => setTimeout(resolve, 10));
    return eventsOf();
  };
  await use(7);
  await use(2);
  t.match(await untilReported(2), [
    {
      action: 'quota-80',
      actor: 'service',
      ownerId: 'acme',
      changes: { quota: { to: { limit: 11, period: 'month' } } },
    },
    { action: 'quota-80', apiKeyId: id, ownerId: 'acme', changes: { used: { to: /^[89]$/ } } },
  ]);
  await use(1);
  t.match(await untilReported(3), [{ action: 'quota-100', apiKeyId: id, changes: { used: { to: 10 } } }, {}, {}]);
  for (const percent of ['80', '100'] as const)
    t.equal(one.quotaThresholds[percent] + other.quotaThresholds[percent], percent === '80' ? 2 : 1, percent);
  const metrics = await other.inject('/metrics');
  t.match(metrics.body, /musicez_quota_thresholds_total\{percent="100"\} [01]\n/);
  t.match((await one.apiKeys.listKeyEvents(id, 10))[0], { action: 'quota-100' });
  await one.apiKeys.update(id, { quota: { limit: 5, period: 'month' } });
  while ((await eventsOf()).length < 5) await other.inject({ url: '/v1/me', headers: { 'x-api-key': key } });
  t.match(
    (await eventsOf())
      .slice(0, 2)
      .map(({ action }) => action)
      .sort(),
    ['quota-100', 'quota-80'],
    'a lower limit that is used up is reported',
  );
});

t.test('a batch that is sent again after a lost response is counted once', async (t) => {
  const { id, key } = await createKey({ quota: { limit: 100, period: 'month' } });
  await app.requestLog.flush();
  let attempts = 0;
  const query = app.database.logPool.query.bind(app.database.logPool);
  t.intercept(app.database.logPool, 'query', {
    value: async (config: { text?: string }, values: never) => {
      const result = await query(config as never, values);
      // The response is lost after the commit.
      if (config.text?.includes('INSERT') && attempts++ === 0) throw new Error('connection lost');
      return result;
    },
  });
  for (let i = 0; i < 5; i++) await verify(key, { cost: 2 });
  await app.requestLog.flush();
  await untilWritten(app);
  t.ok(attempts >= 2, 'the batch was sent twice');
  t.match((await admin('GET', `/v1/api-keys/${id}`)).body.quota, { used: 10 });
  t.match(await verify(key, { cost: 0 }), { quota: { used: 10 } });
});

t.test(
  'only what was not settled yet is in memory: another process settles the spool of one that was killed',
  async (t) => {
    const database = await createTestDatabase();
    const config = loadConfig({ LOG_LEVEL: 'silent', ...database });
    const first = await buildApp(config);
    await first.ready();
    await first.database.ready;
    const { id, key } = await first.apiKeys.create({ name: 'spooled', quota: { limit: 5, period: 'month' } });
    await first.inject({ url: '/v1/me', headers: { 'x-api-key': key } });
    await first.requestLog.flush();
    t.intercept(first.database.logPool, 'query', { value: () => Promise.reject(new Error('Connection terminated')) });
    for (let i = 0; i < 3; i++) {
      const response = await first.inject({ url: '/v1/me', headers: { 'x-api-key': key } });
      t.equal(response.statusCode, 200, 'the last known count goes on');
      t.equal(response.headers['ratelimit-remaining'], String(3 - i));
    }
    await first.close();
    const second = await startApp(database);
    while (second.requestLog.counts.accepted < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    await untilWritten(second);
    t.match((await second.apiKeys.get(id)).quota, { used: 4 });
    t.match(await second.apiKeys.verify(key), { code: 'VALID' });
    t.match(await second.apiKeys.verify(key), { code: 'QUOTA_EXCEEDED' });
  },
);
