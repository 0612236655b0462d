import type { FastifyRequest } from 'fastify';
import { parseList } from 'structured-headers';
import t, { type Test } from 'tap';
import { buildApp } from '../../../src/app.js';
import { loadConfig } from '../../../src/config/index.js';
import { clientOf, keyHeaders, startApp } from '../../app.js';
import { createTestDatabase, needsPostgres } from '../../database.js';
import { needsRedis, startRedis, startRedisCluster } from './redis.js';

const own = await createTestDatabase();
const app = await buildApp(loadConfig({ LOG_LEVEL: 'silent', ...own }));
t.teardown(() => app.close());
app.get('/expensive', { onRequest: app.requireApiKey(undefined, { cost: 5 }) }, async () => 'done');
const costInQuery = (request: FastifyRequest) => Number((request.query as { cost: string }).cost);
app.get('/counted', { onRequest: app.requireApiKey(undefined, { cost: costInQuery }) }, async () => 'done');
await app.ready();
await app.database.ready;
const admin = clientOf(app, await keyHeaders(app, 'admin'));
const hour = { name: 'hour', windowSeconds: 3_600 };
const day = { name: 'day', windowSeconds: 86_400 };

const verify = async (key: string, fields: object = {}) =>
  (await admin('POST', '/v1/api-keys/verify', { key, ...fields })).body;

async function createKey(fields: object) {
  const { status, body } = await admin('POST', '/v1/api-keys', { name: 'limited', ...fields });
  t.equal(status, 201);
  return { ...body, get: clientOf(app, { 'x-api-key': body.key }) };
}

/** The remaining requests of each limit, by its name. */
async function remainingOf(key: string): Promise<Record<string, number>> {
  const { rateLimits } = await verify(key, { cost: 0 });
  return Object.fromEntries(
    rateLimits.map(({ name, remaining }: { name: string; remaining: number }) => [name, remaining]),
  );
}

t.test('the tightest of several limits decides, and a denied request is charged to none of them', async (t) => {
  const { key, get } = await createKey({
    rateLimits: [
      { ...day, limit: 3 },
      { ...hour, limit: 2 },
    ],
  });
  t.match(await get('GET', '/v1/me'), { status: 200, headers: { 'ratelimit-limit': '2', 'ratelimit-remaining': '1' } });
  t.equal((await get('GET', '/v1/me')).status, 200);
  t.match(await get('GET', '/v1/me'), {
    status: 429,
    headers: { 'ratelimit-limit': '2', 'ratelimit-remaining': '0', 'retry-after': /^3[56]\d\d$/ },
    body: { code: 'RATE_LIMITED', detail: 'this API key is limited to 2 requests an hour' },
  });
  t.strictSame(await remainingOf(key), { hour: 0, day: 1 });
});

t.test(
  'RateLimit and RateLimit-Policy name each limit, Retry-After is the time until the last exceeded window ends',
  async (t) => {
    const { get } = await createKey({
      rateLimits: [
        { ...hour, limit: 1 },
        { ...day, limit: 1 },
      ],
    });
    for (const status of [200, 429]) {
      const { status: received, headers } = await get('GET', '/v1/me');
      t.equal(received, status);
      t.strictSame(
        parseList(String(headers['ratelimit-policy'])).map(([name, parameters]) => [
          name,
          Object.fromEntries(parameters),
        ]),
        [
          ['hour', { q: 1, w: 3_600 }],
          ['day', { q: 1, w: 86_400 }],
        ],
      );
      const states = parseList(String(headers.ratelimit));
      t.match(
        states.map(([name, parameters]) => [name, parameters.get('r')]),
        [
          ['hour', 0],
          ['day', 0],
        ],
      );
      if (status === 429) t.equal(headers['retry-after'], String(states[1]?.[1].get('t')));
    }
  },
);

t.test('the limits of an owner apply to all keys of the owner together, and change at once', async (t) => {
  const ownerId = 'acme {a}/ü';
  const path = `/v1/owners/${encodeURIComponent(ownerId)}/limits`;
  t.match(await admin('GET', path), { status: 200, body: { ownerId, rateLimits: [], quota: null } });
  const [one, other] = [
    await createKey({ ownerId, rateLimits: [{ ...hour, limit: 10 }] }),
    await createKey({ ownerId }),
  ];
  for (const { get } of [one, other]) t.equal((await get('GET', '/v1/me')).status, 200);
  const rateLimits = [{ ...hour, limit: 2 }];
  t.match(await admin('PUT', path, { rateLimits }), { status: 200, body: { ownerId, rateLimits, quota: null } });
  t.match(await one.get('GET', '/v1/me'), {
    status: 200,
    body: { rateLimits: [{ name: 'hour' }, { name: 'owner:hour' }] },
  });
  t.equal((await other.get('GET', '/v1/me')).status, 200);
  t.match(await one.get('GET', '/v1/me'), {
    status: 429,
    body: { detail: 'the owner of this API key is limited to 2 requests an hour' },
  });
  t.strictSame(
    await remainingOf(one.key),
    { hour: 8, 'owner:hour': 0 },
    'the denied request was not charged to the key',
  );
  await admin('PUT', path, {});
  t.equal((await one.get('GET', '/v1/me')).status, 200);
  await admin('PUT', path, {});
  const { body } = await admin('GET', `/v1/events?action=owner-limits&ownerId=${encodeURIComponent(ownerId)}`);
  t.match(body.data, [
    { apiKeyId: null, ownerId, actor: 'api-key', changes: { rateLimits: { from: rateLimits, to: [] } } },
    { changes: { rateLimits: { to: rateLimits } } },
  ]);
});

t.test('limits of an owner that SQL changes apply at once, also after TRUNCATE', { skip: needsPostgres }, async (t) => {
  const { get } = await createKey({ ownerId: 'by-sql' });
  const { pool } = app.database;
  const untilPolicies = async (policies: string | undefined) => {
    while ((await get('GET', '/v1/me')).headers['ratelimit-policy'] !== policies)
      await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await pool.query(
    `INSERT INTO owner_limits VALUES ('other', '[{"name": "hour", "limit": 1000, "windowSeconds": 3600}]', NULL, NULL, now())`,
  );
  await untilPolicies(undefined);
  await pool.query(`UPDATE owner_limits SET "ownerId" = 'by-sql' WHERE "ownerId" = 'other'`);
  await untilPolicies('"owner:hour";q=1000;w=3600');
  await pool.query(`UPDATE owner_limits SET "ownerId" = 'another' WHERE "ownerId" = 'by-sql'`);
  await untilPolicies(undefined);
  await pool.query(`UPDATE owner_limits SET "ownerId" = 'by-sql' WHERE "ownerId" = 'another'`);
  await untilPolicies('"owner:hour";q=1000;w=3600');
  await pool.query('TRUNCATE owner_limits');
  await untilPolicies(undefined);
  for (const quota of ['{}', '{"limit": "1", "period": "day"}', '{"limit": 1, "period": "week"}'])
    await t.rejects(
      pool.query(`INSERT INTO owner_limits VALUES ('x', '[]', $1, NULL, now())`, [quota]),
      /quota_is_valid/,
    );
});

t.test('a key without the scopes of all keys of an owner cannot limit the owner', async (t) => {
  await createKey({ ownerId: 'admins', scopes: ['admin'] });
  const writer = clientOf(app, await keyHeaders(app, 'keys:write'));
  t.match(await writer('PUT', '/v1/owners/admins/limits', { quota: { limit: 1, period: 'month' } }), {
    status: 403,
    body: { code: 'INSUFFICIENT_SCOPE' },
  });
  await createKey({ ownerId: 'customers' });
  t.equal((await writer('PUT', '/v1/owners/customers/limits', {})).status, 200);
});

t.test('the cost of a request counts for all limits; 0 asks without charging', async (t) => {
  const { key, get } = await createKey({
    scopes: ['a'],
    rateLimits: [
      { ...hour, limit: 20 },
      { ...day, limit: 30 },
    ],
  });
  t.match(await verify(key, { cost: 7 }), { valid: true, rateLimits: [{ remaining: 13 }, { remaining: 23 }] });
  t.match(await get('GET', '/v1/auth?cost=3'), { status: 204, headers: { 'ratelimit-remaining': '10' } });
  const expensive = await app.inject({ url: '/expensive', headers: { 'x-api-key': key } });
  t.match(expensive, { statusCode: 200, headers: { 'ratelimit-remaining': '5' } });
  t.match(await verify(key, { cost: 6 }), { valid: false, code: 'RATE_LIMITED' });
  t.match(await verify(key, { cost: 0 }), { valid: true, rateLimits: [{ remaining: 5 }, { remaining: 15 }] });
  t.match(await verify(key, { cost: 5 }), { valid: true, rateLimits: [{ remaining: 0 }, { remaining: 10 }] });
  t.match(await verify(key, { cost: 0 }), { valid: false, code: 'RATE_LIMITED' }, 'a request would be denied');
  for (const cost of [-1, 1.5, 1_001, 'x']) {
    t.match(await admin('POST', '/v1/api-keys/verify', { key, cost }), {
      status: 400,
      body: { errors: [{ path: '/body/cost' }] },
    });
    t.match(await get('GET', `/v1/auth?cost=${cost}`), { status: 403 });
  }
  const other = await createKey({ rateLimits: [{ ...hour, limit: 2 }] });
  for (const query of ['cost=x', 'cost=1001', 'scope=BAD!', 'allowed=yes', 'rateLimited=1'])
    await other.get('GET', `/v1/auth?${query}`);
  t.strictSame(await remainingOf(other.key), { hour: 2 }, 'an invalid query costs nothing');
  t.match(await other.get('GET', '/v1/auth?cost=1e0'), { status: 204 });
  t.strictSame(await remainingOf(other.key), { hour: 1 }, 'other spellings of a number count too');
  t.throws(() => app.requireApiKey('a', { cost: 1_001 }), /must be a whole number from 0 to 1000/);
  for (const cost of ['1.5', '-1', 'x', '1001']) {
    const response = await app.inject({ url: `/counted?cost=${cost}`, headers: { 'x-api-key': other.key } });
    t.equal(response.statusCode, 500, 'the cost of a route module that is no whole number');
  }
  t.strictSame(await remainingOf(other.key), { hour: 1 });
});

t.test('rateLimitPerMinute is the short form of the limit named minute', async (t) => {
  const minute = { name: 'minute', limit: 9, windowSeconds: 60 };
  const { id, rateLimits } = await createKey({ rateLimitPerMinute: 9 });
  t.strictSame(rateLimits, [minute]);
  const change = async (fields: object) => {
    const { body } = await admin('PATCH', `/v1/api-keys/${id}`, fields);
    return { rateLimits: body.rateLimits, rateLimitPerMinute: body.rateLimitPerMinute };
  };
  const both = [minute, { ...day, limit: 100 }];
  t.strictSame(await change({ rateLimits: both.toReversed() }), { rateLimits: both, rateLimitPerMinute: 9 });
  t.strictSame(await change({ rateLimitPerMinute: 7 }), {
    rateLimits: [{ ...minute, limit: 7 }, both[1]],
    rateLimitPerMinute: 7,
  });
  t.strictSame(await change({ rateLimitPerMinute: null }), { rateLimits: [both[1]], rateLimitPerMinute: null });
  t.strictSame(await change({ rateLimits: [] }), { rateLimits: [], rateLimitPerMinute: null });
  const { body } = await admin('GET', `/v1/api-keys/${id}/events`);
  t.match(body.data[0], { action: 'updated', changes: { rateLimits: { from: [both[1]], to: null } } });
  const five = [1, 2, 3, 4, 5].map((hours) => ({ name: `h${hours}`, limit: 9, windowSeconds: hours * 3_600 }));
  await change({ rateLimits: five });
  t.match(await admin('PATCH', `/v1/api-keys/${id}`, { rateLimitPerMinute: 5 }), {
    status: 400,
    body: { code: 'TOO_MANY_LIMITS' },
  });
});

t.test('invalid limits are rejected with the path of the field', async (t) => {
  const limit = { ...hour, limit: 1 };
  for (const [fields, path] of [
    [{ rateLimits: Array(6).fill(limit) }, '/body/rateLimits'],
    [{ rateLimits: [{ ...limit, windowSeconds: 31 * 86_400 + 1 }] }, '/body/rateLimits/0/windowSeconds'],
    [{ rateLimits: [{ ...limit, limit: 0 }] }, '/body/rateLimits/0/limit'],
    [{ rateLimits: [{ ...limit, name: 'Owner:x' }] }, '/body/rateLimits/0/name'],
    [{ rateLimits: [limit, { ...limit, windowSeconds: 60 }] }, '/body/rateLimits/1/name'],
    [{ rateLimits: [limit, { ...limit, name: 'again' }] }, '/body/rateLimits/1/windowSeconds'],
    [{ rateLimits: [{ ...limit, name: 'minute' }] }, '/body/rateLimits/0/name'],
    [{ rateLimits: [limit], rateLimitPerMinute: 5 }, '/body/rateLimitPerMinute'],
    [{ rateLimits: [{ ...limit, name: 'quota' }] }, '/body/rateLimits/0/name'],
    [{ quota: { limit: 0, period: 'day' } }, '/body/quota/limit'],
    [{ quota: { limit: 1, period: 'week' } }, '/body/quota/period'],
  ] as const) {
    t.match(
      await admin('POST', '/v1/api-keys', { name: 'bad', ...fields }),
      { status: 400, body: { errors: [{ path }] } },
      JSON.stringify(fields),
    );
    if (!('rateLimitPerMinute' in fields))
      t.match(await admin('PUT', '/v1/owners/acme/limits', fields), { status: 400, body: { errors: [{ path }] } });
  }
});

t.test('RATE_LIMITS applies to keys without limits of their own', async (t) => {
  const limited = await startApp({
    ...(await createTestDatabase()),
    RATE_LIMITS: '5/1d, 3/2h',
    RATE_LIMIT_PER_MINUTE: '4',
  });
  const { key, rateLimits } = await limited.apiKeys.create({ name: 'default' });
  t.strictSame(rateLimits, []);
  t.match(await clientOf(limited, { 'x-api-key': key })('GET', '/v1/me'), {
    headers: { 'ratelimit-policy': '"minute";q=4;w=60, "w2h";q=3;w=7200, "day";q=5;w=86400' },
  });
  const { key: another } = await limited.apiKeys.create({ name: 'own', rateLimits: [{ ...day, limit: 1 }] });
  t.match(await clientOf(limited, { 'x-api-key': another })('GET', '/v1/me'), {
    headers: { 'ratelimit-policy': '"day";q=1;w=86400' },
  });
});

t.test('an invalid limit in the database denies every request', async (t) => {
  for (const rateLimits of ['[1]', '[{"name": "x", "limit": "many", "windowSeconds": 60}]']) {
    const { id, get } = await createKey({});
    await app.database.pool.query('UPDATE api_keys SET "rateLimits" = $1 WHERE id = $2', [rateLimits, id]);
    // Until the notification of the change arrives, or the key is read again.
    while ((await get('GET', '/v1/me')).status === 200) await new Promise((resolve) => setTimeout(resolve, 20));
    t.match(await get('GET', '/v1/me'), { status: 429, body: { code: 'RATE_LIMITED' } });
    t.match(await admin('GET', `/v1/api-keys/${id}`), {
      status: 200,
      body: { rateLimits: [{ name: 'unreadable', limit: 0 }] },
    });
  }
});

const servers = {
  Redis: (t: Test) => startRedis(t),
  'a Redis Cluster': async (t: Test) => (await startRedisCluster(t))[0],
};
for (const [name, start] of Object.entries(servers))
  t.test(
    `replicas share several limits, of keys and owners, in ${name}`,
    { skip: needsPostgres || needsRedis },
    async (t) => {
      const { url } = await start(t);
      const replicas = await Promise.all([1, 2].map(() => startApp({ ...own, REDIS_URL: url })));
      const ownerId = `shared } in {${name}`;
      const limits = [
        { name: 'minute', limit: 15, windowSeconds: 60 },
        { ...day, limit: 20 },
      ];
      const keys = await Promise.all(
        [1, 2, 3].map(() => app.apiKeys.create({ name: 'shared', ownerId, rateLimits: limits })),
      );
      // The client of a cluster connects to the server of this owner with the first requests.
      await app.apiKeys.setOwnerLimits(ownerId, { rateLimits: [{ ...hour, limit: 1_000_000 }] });
      const probe = await app.apiKeys.create({ name: 'probe', ownerId, rateLimits: [{ ...day, limit: 1_000_000 }] });
      const statesAt = async (i: number, cost: number) =>
        (await replicas[i]?.apiKeys.verify(probe.key, undefined, undefined, cost))?.states ?? [];
      const remainingAt = async (i: number) => (await statesAt(i, 1))[0]?.remaining ?? 0;
      while ((await remainingAt(0)) !== (await remainingAt(1)) + 1)
        await new Promise((resolve) => setTimeout(resolve, 50));
      await app.apiKeys.setOwnerLimits(ownerId, { rateLimits: [{ name: 'w2h', limit: 30, windowSeconds: 7_200 }] });
      for (const i of [0, 1])
        while ((await statesAt(i, 0))[1]?.policy !== 'owner:w2h')
          await new Promise((resolve) => setTimeout(resolve, 10));
      const responses = await Promise.all(
        keys.flatMap(({ key }) =>
          Array.from({ length: 24 }, (_, i) =>
            replicas[i % 2]?.inject({ url: '/v1/me', headers: { 'x-api-key': key } }),
          ),
        ),
      );
      t.equal(responses.filter((response) => response?.statusCode === 200).length, 30);
      const { states } = (await replicas[0]?.apiKeys.verify(keys[0]?.key ?? '', undefined, undefined, 0)) ?? {
        states: [],
      };
      const [minute, ofDay] = states;
      t.equal(15 - (minute?.remaining ?? 0), 20 - (ofDay?.remaining ?? 0), 'both limits of a key have the same count');
    },
  );
