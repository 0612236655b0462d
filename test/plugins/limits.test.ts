import Fastify, { type FastifyInstance } from 'fastify';
import t, { type Test } from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import type { Subject } from '../../plugins/limits/counter.js';
import limits from '../../plugins/limits/index.js';
import type { Standing } from '../../plugins/limits/standing.js';
import { startApp } from '../app.js';
import { needsPostgres, ownDatabase } from '../database.js';
import { heapUsed } from '../heap.js';
import { needsRedis, startRedis } from './redis.js';

const own = await ownDatabase();
const app = await startApp({ ...own, RATE_LIMIT_PER_MINUTE: '5' });

function ask(service: FastifyInstance, key: string, remoteAddress = '10.0.0.1') {
  return service.inject({ url: '/v1/me', headers: { 'x-api-key': key }, remoteAddress });
}

async function statuses(count: number, request: () => Promise<{ statusCode: number }>) {
  const seen: Record<number, number> = {};
  for (let i = 0; i < count; i++) {
    const { statusCode } = await request();
    seen[statusCode] = (seen[statusCode] ?? 0) + 1;
  }
  return seen;
}

t.test('a key makes as many requests a minute as all keys may, and then is told when to come back', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'default' });
  const first = await ask(app, key);
  t.match(first.headers, { 'ratelimit-limit': '5', 'ratelimit-remaining': '4', 'ratelimit-reset': '60' });
  t.strictSame(await statuses(5, () => ask(app, key)), { 200: 4, 429: 1 });
  const refused = await ask(app, key);
  t.match(refused.headers, {
    'content-type': /^application\/problem\+json/,
    'ratelimit-limit': '5',
    'ratelimit-remaining': '0',
    'ratelimit-reset': /^\d+$/,
    'retry-after': /^[1-9]\d?$/,
  });
  t.match(refused.json(), { status: 429, code: 'RATE_LIMITED', detail: 'this API key may make 5 requests a minute' });
});

t.test("a key's own limit goes before, and applies as soon as it is changed", async (t) => {
  const { id, key } = await app.apiKeys.create({ name: 'own', rateLimitPerMinute: 2 });
  t.strictSame(await statuses(4, () => ask(app, key)), { 200: 2, 429: 2 });
  await app.apiKeys.update(id, { rateLimitPerMinute: 8 });
  t.strictSame(await statuses(5, () => ask(app, key)), { 200: 4, 429: 1 }, 'what was counted stays counted');
  const { key: more } = await app.apiKeys.create({ name: 'more', rateLimitPerMinute: 20 });
  t.strictSame(await statuses(21, () => ask(app, more)), { 200: 20, 429: 1 });
});

t.test('probes, documents and what needs no key are not limited', async (t) => {
  for (const url of ['/livez', '/readyz', '/metrics', '/health', '/documentation/json', '/']) {
    const seen = await statuses(10, () => app.inject(url));
    t.notOk(seen[429], url);
  }
});

t.test('a refused request does not count against anybody, nor does one that the scope refuses', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'scoped', rateLimitPerMinute: 1 });
  const refused = () => app.inject({ url: '/v1/api-keys', headers: { 'x-api-key': key } });
  t.strictSame(await statuses(3, refused), { 403: 3 });
  t.equal((await ask(app, key)).statusCode, 200);
});

t.test('guessing is slowed down by address, and valid keys from there are not touched', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'valid', rateLimitPerMinute: 1_000 });
  const guess = () => ask(app, generateKey('mez'), '10.0.0.2');
  t.strictSame(await statuses(100, guess), { 401: 60, 429: 40 });
  const refused = await guess();
  t.match(refused.json(), { code: 'TOO_MANY_BAD_KEYS' });
  t.match(refused.headers, { 'retry-after': /^[1-9]\d?$/ });
  t.strictSame(await statuses(10, () => ask(app, 'nonsense', '10.0.0.2')), { 429: 10 });
  t.strictSame(await statuses(10, () => ask(app, key, '10.0.0.2')), { 200: 10 });
  const { key: fresh } = await app.apiKeys.create({ name: 'never seen before' });
  t.equal((await ask(app, fresh, '10.0.0.2')).statusCode, 200);
  t.equal((await ask(app, generateKey('mez'), '10.0.0.3')).statusCode, 401, 'nor are other addresses');
});

t.test('addresses of one IPv6 network count as one', async (t) => {
  const seen = await statuses(61, () =>
    ask(app, generateKey('mez'), `2001:db8::${Math.floor(Math.random() * 65_535).toString(16)}`),
  );
  t.strictSame(seen, { 401: 60, 429: 1 });
});

t.test('who guesses cannot fill the memory with addresses', async (t) => {
  const behind = await startApp({ ...(await ownDatabase()), TRUST_PROXY: 'true' });
  const guess = (address: string) =>
    behind.inject({ url: '/v1/me', headers: { 'x-api-key': 'nonsense', 'x-forwarded-for': address } });
  const before = await heapUsed();
  for (let i = 0; i < 1_000; i++) {
    await guess(`198.51.${100 + (i >> 8)}.${i & 255}${',x'.repeat(6_000)}`);
    await guess(`${i}${'x'.repeat(12_000)}`);
  }
  await behind.requestLog.flush();
  const bytes = ((await heapUsed()) - before) / 2_000;
  t.ok(bytes < 2_000, `${bytes} bytes for each`);
});

t.test('a key that was revoked goes on being told so, however often it comes', async (t) => {
  const { id, key } = await app.apiKeys.create({ name: 'revoked' });
  t.equal((await ask(app, key, '10.0.0.4')).statusCode, 200);
  await app.apiKeys.remove(id);
  t.strictSame(await statuses(70, () => ask(app, key, '10.0.0.4')), { 401: 70 });
});

t.test('many who guess do not push the count of a key out', async (t) => {
  const { count } = await counting(t);
  await count({ kind: 'key', id: 'a', limit: 1 });
  for (let i = 0; i < 60_000; i++) await count({ kind: 'guesser', id: `${i}`, limit: 60 });
  t.equal((await count({ kind: 'key', id: 'a', limit: 1 })).exceeded, true);
});

t.test('two replicas and a Redis allow the limit once', { skip: needsPostgres || needsRedis }, async (t) => {
  const redis = await startRedis(t);
  const replicas = await Promise.all([1, 2].map(() => startApp({ ...own, REDIS_URL: redis.url })));
  const [one, other] = replicas as [FastifyInstance, FastifyInstance];
  const { key } = await one.apiKeys.create({ name: 'shared', rateLimitPerMinute: 50 });
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(i % 2 ? one : other, key)));
  t.equal(answers.filter(({ statusCode }) => statusCode === 200).length, 50);
  t.equal(answers.filter(({ statusCode }) => statusCode === 429).length, 50);

  const guesses = await Promise.all(
    Array.from({ length: 100 }, (_, i) => ask(i % 2 ? one : other, generateKey('mez'), '10.0.0.5')),
  );
  t.equal(guesses.filter(({ statusCode }) => statusCode === 401).length, 60, 'and so for guesses');
});

t.test('without its Redis a replica counts alone, says so once, and fails nobody', { skip: needsRedis }, async (t) => {
  const redis = await startRedis(t);
  const { count, said, close } = await counting(t, redis.url);
  const allowed = async (id: string) => {
    const standings = [];
    for (let i = 0; i < 45; i++) standings.push(await count({ kind: 'key', id, limit: 40 }));
    return standings.filter(({ exceeded }) => !exceeded).length;
  };
  t.equal((await count({ kind: 'key', id: 'a', limit: 40 })).remaining, 39);
  await redis.stop();
  t.equal(await allowed('a'), 40, 'from the beginning');
  await redis.start();
  while ((await count({ kind: 'key', id: 'a', limit: 40 })).exceeded)
    await new Promise((resolve) => setTimeout(resolve, 20));
  redis.freeze();
  t.equal(await allowed('b'), 40, 'nor does one that goes silent hold it up');
  redis.thaw();
  await close();
  const lost = 'limits: Redis does not answer, each replica counts alone';
  t.strictSame(said(), [lost, 'limits: Redis is back, replicas count together again', lost]);
});

t.test('a Redis that is not there keeps nobody from starting', async (t) => {
  const { count, said } = await counting(t, 'redis://127.0.0.1:1');
  t.equal((await count({ kind: 'key', id: 'a', limit: 1 })).exceeded, false);
  t.equal((await count({ kind: 'key', id: 'a', limit: 1 })).exceeded, true);
  t.equal(said().length, 1);
});

t.test('the password of a Redis that refuses it reaches no log', { skip: needsRedis }, async (t) => {
  const redis = await startRedis(t, '--requirepass', 'right');
  const { count, lines } = await counting(t, redis.url.replace('//', '//:hunter2@'));
  t.equal((await count({ kind: 'key', id: 'a', limit: 1 })).exceeded, false);
  t.equal(lines.length, 1);
  t.match(lines[0], /WRONGPASS|NOAUTH/);
  t.notMatch(lines.join(), 'hunter2');
});

/** The plugin alone, and what it logs. */
async function counting(t: Test, redisUrl?: string) {
  const lines: string[] = [];
  const alone = Fastify({ logger: { level: 'info', stream: { write: (line) => void lines.push(line) } } });
  t.teardown(() => alone.close());
  await alone.register(limits, { redisUrl });
  return {
    count: (subject: Subject) => new Promise<Standing>((resolve) => alone.limits.count(subject, resolve)),
    lines,
    said: () => lines.map((line) => JSON.parse(line).msg),
    close: () => alone.close(),
  };
}
