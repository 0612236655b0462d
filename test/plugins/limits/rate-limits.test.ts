import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { parseList } from 'structured-headers';
import t, { type Test } from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import type { CountedLimit } from '../../../plugins/limits/counter.js';
import limits from '../../../plugins/limits/index.js';
import { type LimitState, tightestOf } from '../../../plugins/limits/limit-state.js';
import { keyHeaders, startApp } from '../../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../../database.js';
import { heapUsed } from '../../heap.js';
import { startStopwatch } from '../../stopwatch.js';
import { BreakableDatabase } from '../database/proxy.js';
import { needsRedis, startRedis, startRedisCluster, startSentinel } from './redis.js';

skipFileOnEmbedded();

const own = await createTestDatabase();
const app = await startApp({ ...own, RATE_LIMIT_PER_MINUTE: '5' });

function sendRequest(service: FastifyInstance, key: string, remoteAddress = '10.0.0.1') {
  return service.inject({ url: '/v1/me', headers: { 'x-api-key': key }, remoteAddress });
}

async function countStatuses(count: number, request: () => Promise<{ statusCode: number }>) {
  const countByStatus: Record<number, number> = {};
  for (let i = 0; i < count; i++) {
    const { statusCode } = await request();
    countByStatus[statusCode] = (countByStatus[statusCode] ?? 0) + 1;
  }
  return countByStatus;
}

t.test('a key has the default limit and gets a 429 with Retry-After above it', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'default' });
  const first = await sendRequest(app, key);
  t.match(first.headers, { 'ratelimit-limit': '5', 'ratelimit-remaining': '4', 'ratelimit-reset': '60' });
  t.strictSame(await countStatuses(5, () => sendRequest(app, key)), { 200: 4, 429: 1 });
  const denied = await sendRequest(app, key);
  t.match(denied.headers, {
    'content-type': /^application\/problem\+json/,
    'ratelimit-limit': '5',
    'ratelimit-remaining': '0',
    'ratelimit-reset': /^\d+$/,
    'retry-after': /^[1-9]\d?$/,
  });
  t.match(denied.json(), {
    status: 429,
    code: 'RATE_LIMITED',
    detail: 'this API key is limited to 5 requests a minute',
  });
});

t.test('RateLimit and RateLimit-Policy are structured fields with the values of the older fields', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'structured', rateLimitPerMinute: 2 });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  const throughHttp = await fetch(`http://127.0.0.1:${port}/v1/me`, { headers: { 'x-api-key': key } });
  const injected = await sendRequest(app, key);
  const denied = await sendRequest(app, key);
  t.equal(denied.statusCode, 429);
  for (const [headers, remaining] of [
    [Object.fromEntries(throughHttp.headers), 1],
    [injected.headers, 0],
    [denied.headers, 0],
  ] as const) {
    t.strictSame(parseList(String(headers['ratelimit-policy'])), [
      [
        'minute',
        new Map([
          ['q', 2],
          ['w', 60],
        ]),
      ],
    ]);
    const seconds = Number(headers['ratelimit-reset']);
    t.strictSame(parseList(String(headers.ratelimit)), [
      [
        'minute',
        new Map([
          ['r', remaining],
          ['t', seconds],
        ]),
      ],
    ]);
    t.equal(headers['ratelimit-remaining'], String(remaining));
  }
  for (let i = 0; i < 60; i++) await sendRequest(app, generateKey('mez'), '10.9.9.9');
  const guess = await sendRequest(app, generateKey('mez'), '10.9.9.9');
  t.equal(guess.statusCode, 429);
  t.match(parseList(String(guess.headers['ratelimit-policy'])), [['unknown-keys', new Map([['q', 60]])]]);
});

t.test("a key's own limit overrides the default and applies as soon as it is changed", async (t) => {
  const { id, key } = await app.apiKeys.create({ name: 'own', rateLimitPerMinute: 2 });
  t.strictSame(await countStatuses(4, () => sendRequest(app, key)), { 200: 2, 429: 2 });
  await app.apiKeys.update(id, { rateLimitPerMinute: 8 });
  t.strictSame(
    await countStatuses(7, () => sendRequest(app, key)),
    { 200: 6, 429: 1 },
    'allowed requests stay counted, denied ones are not',
  );
  const { key: more } = await app.apiKeys.create({ name: 'more', rateLimitPerMinute: 20 });
  t.strictSame(await countStatuses(21, () => sendRequest(app, more)), { 200: 20, 429: 1 });
});

t.test('probes, documentation and routes without a key are not rate-limited', async (t) => {
  for (const url of ['/livez', '/readyz', '/metrics', '/health', '/documentation/json', '/']) {
    const countByStatus = await countStatuses(10, () => app.inject(url));
    t.notOk(countByStatus[429], url);
  }
});

t.test('a request denied for a missing scope counts towards the limit, also with /v1/auth and verify', async (t) => {
  const admin = await keyHeaders(app, 'admin');
  const verify = (key: string) =>
    app.inject({ method: 'POST', url: '/v1/api-keys/verify', headers: admin, payload: { key, scope: 'other' } });
  const ways: ((key: string) => Promise<unknown>)[] = [
    (key) => app.inject({ url: '/v1/api-keys', headers: { 'x-api-key': key } }),
    (key) => app.inject({ url: '/v1/auth?scope=other', headers: { 'x-api-key': key } }),
    verify,
  ];
  for (const way of ways) {
    const { key } = await app.apiKeys.create({ name: 'scoped', rateLimitPerMinute: 2 });
    await way(key);
    await way(key);
    t.equal((await sendRequest(app, key)).statusCode, 429, String(way));
  }
});

t.test('guessing keys is throttled by address, and cached keys from that address are not affected', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'valid', rateLimitPerMinute: 1_000 });
  t.equal((await sendRequest(app, key)).statusCode, 200);
  const guess = () => sendRequest(app, generateKey('mez'), '10.0.0.2');
  t.strictSame(await countStatuses(100, guess), { 401: 60, 429: 40 });
  const denied = await guess();
  t.match(denied.json(), { code: 'TOO_MANY_BAD_KEYS' });
  t.match(denied.headers, { 'retry-after': /^[1-9]\d?$/ });
  t.strictSame(await countStatuses(10, () => sendRequest(app, 'nonsense', '10.0.0.2')), { 429: 10 });
  t.strictSame(await countStatuses(10, () => sendRequest(app, key, '10.0.0.2')), { 200: 10 });
  const lookups = app.apiKeys.cache.counts.lookups;
  const { key: fresh } = await app.apiKeys.create({ name: 'not cached' });
  t.match(await sendRequest(app, fresh, '10.0.0.2'), { statusCode: 429, headers: { 'retry-after': /^[1-9]\d?$/ } });
  await countStatuses(50, guess);
  t.equal(app.apiKeys.cache.counts.lookups, lookups, 'an address over its limit causes no database lookup');
  t.equal((await sendRequest(app, fresh, '10.0.0.9')).statusCode, 200);
  t.equal(
    (await sendRequest(app, fresh, '10.0.0.2')).statusCode,
    200,
    'a key that another address has used is not affected',
  );
  t.equal((await sendRequest(app, generateKey('mez'), '10.0.0.3')).statusCode, 401, 'other addresses are not affected');
});

t.test('key lookups do not queue while the database does not respond, and count against their address', async (t) => {
  const database = new BreakableDatabase(own.DATABASE_URL ?? '');
  await database.listen();
  const silent = await startApp({ ...(await createTestDatabase()), DATABASE_URL: database.url });
  const known = await silent.apiKeys.create({ name: 'known' });
  // The notification about the new key removes it from the cache.
  const createdAt = performance.now();
  while (silent.apiKeys.cache.changesReceivedUntil < createdAt) await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal((await sendRequest(silent, known.key)).statusCode, 200);
  database.freeze();
  const countByStatus: Record<number, number> = {};
  const attempts = Array.from({ length: 3_000 }, async (_, i) => {
    const { statusCode } = await sendRequest(silent, generateKey('mez'), i % 2 ? '10.0.0.6' : '10.0.0.7');
    countByStatus[statusCode] = (countByStatus[statusCode] ?? 0) + 1;
  });
  t.equal((await sendRequest(silent, known.key)).statusCode, 200, 'a cached key is accepted');
  await Promise.all(attempts);
  t.strictSame(Object.keys(countByStatus), ['503']);
  t.ok(silent.database.keyPool.waitingCount <= 2, 'key lookups do not queue for a connection');
  const later = await countStatuses(100, () =>
    Promise.all([1, 2].map(() => sendRequest(silent, generateKey('mez'), '10.0.0.6'))).then(
      ([, last]) => last as { statusCode: number },
    ),
  );
  t.ok((later[429] ?? 0) > 90, JSON.stringify(later));
});

t.test('addresses of one IPv6 network share one limit', async (t) => {
  const countByStatus = await countStatuses(61, () =>
    sendRequest(app, generateKey('mez'), `2001:db8::${Math.floor(Math.random() * 65_535).toString(16)}`),
  );
  t.strictSame(countByStatus, { 401: 60, 429: 1 });
});

t.test('guesses from many addresses use bounded memory', async (t) => {
  const proxiedApp = await startApp({ ...(await createTestDatabase()), TRUST_PROXY: 'true' });
  const guess = (address: string) =>
    proxiedApp.inject({ url: '/v1/me', headers: { 'x-api-key': 'nonsense', 'x-forwarded-for': address } });
  const before = await heapUsed();
  for (let i = 0; i < 1_000; i++) {
    await guess(`198.51.${100 + (i >> 8)}.${i & 255}${',x'.repeat(6_000)}`);
    await guess(`${i}${'x'.repeat(12_000)}`);
  }
  await proxiedApp.requestLog.flush();
  const bytes = ((await heapUsed()) - before) / 2_000;
  t.ok(bytes < 2_000, `${bytes} bytes for each`);
});

t.test('a revoked key always gets a 401, however often it is used', async (t) => {
  const { id, key } = await app.apiKeys.create({ name: 'revoked' });
  t.equal((await sendRequest(app, key, '10.0.0.4')).statusCode, 200);
  await app.apiKeys.remove(id);
  t.strictSame(await countStatuses(70, () => sendRequest(app, key, '10.0.0.4')), { 401: 70 });
});

t.test('many unknown keys do not evict the count of a key', async (t) => {
  const { count } = await startLimits(t);
  await count({ kind: 'key', id: 'a', limit: 1 });
  for (let i = 0; i < 60_000; i++) await count({ kind: 'invalid-key', id: `${i}`, limit: 60 });
  t.equal((await count({ kind: 'key', id: 'a', limit: 1 })).isExceeded, true);
});

t.test('two replicas with Redis share one limit', { skip: needsRedis }, async (t) => {
  const redis = await startRedis(t);
  const replicas = await Promise.all([1, 2].map(() => startApp({ ...own, REDIS_URL: redis.url })));
  const [one, other] = replicas as [FastifyInstance, FastifyInstance];
  const warnings = replicas.map(({ log }) => t.capture(log, 'warn'));
  /** Sends 100 requests, again if Redis took longer than its deadline, because a replica counted in memory then. */
  const sendThroughRedis = async (
    requestOf: () => Promise<(app: FastifyInstance) => ReturnType<typeof sendRequest>>,
  ) => {
    for (;;) {
      const request = await requestOf();
      for (const warningsOf of warnings) warningsOf();
      const statuses: number[] = [];
      for (let i = 0; i < 20; i++)
        for (const { statusCode } of await Promise.all([one, other, one, other, one].map(request)))
          statuses.push(statusCode);
      if (warnings.every((warningsOf) => warningsOf().length === 0)) return statuses;
      // Longer than a replica counts in memory after a failure.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
    }
  };
  const withOneKey = await sendThroughRedis(async () => {
    const { key } = await one.apiKeys.create({ name: 'shared', rateLimitPerMinute: 50 });
    return (app) => sendRequest(app, key);
  });
  t.equal(withOneKey.filter((status) => status === 200).length, 50);
  t.equal(withOneKey.filter((status) => status === 429).length, 50);
  let attempts = 0;
  const guesses = await sendThroughRedis(async () => {
    const address = `10.0.1.${++attempts}`;
    return (app) => sendRequest(app, generateKey('mez'), address);
  });
  t.equal(guesses.filter((status) => status === 401).length, 60, 'invalid keys share one limit too');
});

t.test('a response of Redis that the replica reads late is no failure of Redis', { skip: needsRedis }, async (t) => {
  const redis = await startRedis(t);
  const { count, messages } = await startLimits(t, redis.url);
  for (let i = 1; i <= 5; i++) {
    const counted = count({ kind: 'key', id: 'a', limit: 10 });
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300));
    t.equal((await counted).remaining, 10 - i);
  }
  t.strictSame(messages(), []);
});

t.test(
  'a replica that loses Redis counts in memory, logs that once for each outage, and fails no request',
  { skip: needsRedis },
  async (t) => {
    const redis = await startRedis(t);
    const { count, messages, close } = await startLimits(t, redis.url);
    const allowed = async (id: string) => {
      const states = [];
      for (let i = 0; i < 45; i++) states.push(await count({ kind: 'key', id, limit: 40 }));
      return states.filter(({ isExceeded }) => !isExceeded).length;
    };
    t.equal((await count({ kind: 'key', id: 'a', limit: 40 })).remaining, 39);
    await redis.stop();
    t.equal(await allowed('a'), 40, 'the count in memory starts at zero');
    await redis.start();
    while ((await count({ kind: 'key', id: 'a', limit: 40 })).isExceeded)
      await new Promise((resolve) => setTimeout(resolve, 20));
    redis.freeze();
    t.equal(await allowed('b'), 40, 'a Redis that does not respond does not block the count');
    redis.thaw();
    await close();
    const lost = 'limits: Redis is not available, this replica counts in memory';
    t.strictSame(messages(), [lost, 'limits: Redis is connected, all replicas share their counts', lost]);
  },
);

t.test('replicas share their counts again after a failover of Redis', { skip: needsRedis }, async (t) => {
  const [old, next] = [await startRedis(t), await startRedis(t)];
  // One address that leads to the current primary. Existing connections keep their primary.
  let target = Number(new URL(old.url).port);
  const name = createServer((socket) => {
    const upstream = connect(target, '127.0.0.1');
    socket.pipe(upstream).pipe(socket);
    for (const side of [socket, upstream]) side.on('error', () => {}).on('close', () => socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(name, 'listening');
  t.teardown(() => name.close());
  const url = `redis://127.0.0.1:${(name.address() as AddressInfo).port}`;
  const [one, other] = [await startLimits(t, url), await startLimits(t, url)];
  const countsAreShared = async (id: string) => {
    for (const { count } of [one, other, one, other]) await count({ kind: 'key', id, limit: 100 });
    return (await one.count({ kind: 'key', id, limit: 100 })).remaining === 95;
  };
  const untilCountsAreShared = async () => {
    const startedAt = performance.now();
    for (let i = 0; !(await countsAreShared(`${startedAt} ${i}`)); i++)
      await new Promise((resolve) => setTimeout(resolve, 50));
    return performance.now() - startedAt;
  };
  await untilCountsAreShared();

  target = Number(new URL(next.url).port);
  await old.command('REPLICAOF', '127.0.0.1', `${target}`);
  t.ok((await untilCountsAreShared()) < 15_000, 'after the old primary was demoted');
  next.freeze();
  target = Number(new URL(old.url).port);
  await old.command('REPLICAOF', 'NO', 'ONE');
  t.ok((await untilCountsAreShared()) < 15_000, 'after the primary stopped responding');
  next.thaw();
  for (const { close } of [one, other]) await close();
});

t.test(
  'replicas share their counts in a Redis Cluster, whichever of its servers they name',
  { skip: needsRedis },
  async (t) => {
    const servers = await startRedisCluster(t);
    const [one, other] = [await startLimits(t, servers[0].url), await startLimits(t, servers[2].url)];
    // Keys on all servers.
    for (let i = 0; i < 20; i++) await untilShared(`key ${i}`, one, other);
    const connected = 'limits: Redis is connected, all replicas share their counts';
    t.notOk(
      [...one.messages(), ...other.messages()].some((message) => message !== connected),
      'no outage is logged',
    );
    await servers[1].stop();
    for (let i = 0; i < 20; i++)
      t.match(await one.count({ kind: 'key', id: `after ${i}`, limit: 1 }), { remaining: 0, isExceeded: false });
    for (const { close } of [one, other]) await close();
  },
);

t.test('replicas find the primary through a Sentinel, also after a failover', { skip: needsRedis }, async (t) => {
  const primary = await startRedis(t);
  await startRedis(t, '--replicaof', '127.0.0.1', new URL(primary.url).port);
  const url = await startSentinel(t, primary);
  const [one, other] = [await startLimits(t, url), await startLimits(t, url)];
  await untilShared('before', one, other);
  await primary.stop();
  await untilShared('after', one, other);
  for (const { close } of [one, other]) await close();
});

t.test(
  'a Redis that accepts connections and never responds delays a request by at most 100 ms',
  { skip: needsRedis },
  async (t) => {
    const redis = await startRedis(t);
    const { count, close } = await startLimits(t, redis.url);
    await count({ kind: 'key', id: 'a', limit: 5 });
    redis.freeze();
    const stopwatch = startStopwatch();
    t.match(await count({ kind: 'key', id: 'a', limit: 5 }), { remaining: 4 });
    t.ok(stopwatch() <= 100);
    redis.thaw();
    await close();
  },
);

t.test('a missing Redis does not prevent the start', async (t) => {
  const { count, messages } = await startLimits(t, 'redis://127.0.0.1:1');
  t.equal((await count({ kind: 'key', id: 'a', limit: 1 })).isExceeded, false);
  t.equal((await count({ kind: 'key', id: 'a', limit: 1 })).isExceeded, true);
  t.equal(messages().length, 1);
});

t.test('a password that Redis rejects is not logged', { skip: needsRedis }, async (t) => {
  const redis = await startRedis(t, '--requirepass', 'right');
  const { count, lines } = await startLimits(t, redis.url.replace('//', '//:hunter2@'));
  t.equal((await count({ kind: 'key', id: 'a', limit: 1 })).isExceeded, false);
  t.equal(lines.length, 1);
  t.match(lines[0], /WRONGPASS|NOAUTH/);
  t.notMatch(lines.join(), 'hunter2');
});

type Replica = Awaited<ReturnType<typeof startLimits>>;

/** Waits until two replicas share the count of a key. */
async function untilShared(name: string, one: Replica, other: Replica) {
  for (let i = 0; ; i++) {
    const target = { kind: 'key', id: `${name} ${i}`, limit: 100 } as const;
    for (const { count } of [one, other, one, other]) await count(target);
    if ((await one.count(target)).remaining === 95) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Starts the plugin alone, and collects its log. */
async function startLimits(t: Test, redisUrl?: string) {
  const lines: string[] = [];
  const alone = Fastify({ logger: { level: 'info', stream: { write: (line) => void lines.push(line) } } });
  t.teardown(() => alone.close());
  await alone.register(limits, { redisUrl, maxKeys: 100 });
  return {
    count: (target: Pick<CountedLimit, 'kind' | 'id' | 'limit'>) =>
      new Promise<LimitState>((resolve) => {
        const limit = { ...target, name: 'minute', policy: 'minute', windowSeconds: 60 };
        alone.limits.charge([limit], 1, ({ states }) => resolve(tightestOf(states)));
      }),
    lines,
    messages: () => lines.map((line) => JSON.parse(line).msg),
    close: () => alone.close(),
  };
}
