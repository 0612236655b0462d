import t from 'tap';
import { type CallingKey, KeyCache } from '../../../plugins/api-keys/key-cache.js';

// The faults in question (a database that is slow, away, or overtaken) are made here by hand.

const key: CallingKey = {
  id: 'id',
  name: 'n',
  start: 's',
  scopes: [],
  active: true,
  expiresAt: null,
  rateLimitPerMinute: null,
};
const options = { ttlMs: 5_000, maxStaleMs: 60_000, maxEntries: 3 };

/** A clock that the test moves. */
function manualClock() {
  const clock = { time: 1_000_000, now: () => clock.time };
  return clock;
}

/** A database whose answers the test gives. */
function manualDatabase() {
  const asked: { resolve(key: CallingKey | null): void; reject(error: Error): void }[] = [];
  const find = () => new Promise<CallingKey | null>((resolve, reject) => asked.push({ resolve, reject }));
  return { asked, find };
}

t.test('of many requests with the same unknown key one asks the database', async (t) => {
  const { asked, find } = manualDatabase();
  const cache = new KeyCache(find, options);
  const lookups = Array.from({ length: 100 }, () => cache.lookup('digest'));
  asked[0]?.resolve(key);
  t.strictSame(await Promise.all(lookups), Array(100).fill(key));
  t.equal(asked.length, 1);
});

t.test('a key that was read is a synchronous hit until its time to live is over', async (t) => {
  const clock = manualClock();
  const cache = new KeyCache(async () => key, options, clock.now);
  await cache.lookup('digest');
  clock.time += 4_999;
  t.equal(cache.peek('digest'), key);
  clock.time += 1;
  t.equal(cache.peek('digest'), undefined);
});

t.test('without a time to live the database is always asked', async (t) => {
  const clock = manualClock();
  const cache = new KeyCache(async () => key, { ...options, ttlMs: 0 }, clock.now);
  await cache.lookup('digest');
  t.equal(cache.peek('digest'), undefined);
  cache.hearing(0, clock.time);
  t.equal(cache.peek('digest'), undefined);
});

t.test('while changes are heard of a key goes on being a hit, and ends its time to live after they were', async (t) => {
  const clock = manualClock();
  const cache = new KeyCache(async () => key, options, clock.now);
  cache.hearing(clock.time, clock.time);
  await cache.lookup('digest');
  for (let i = 0; i < 100; i++) {
    clock.time += 4_000;
    cache.hearing(1_000_000, clock.time);
  }
  clock.time += 4_999;
  t.equal(cache.peek('digest'), key);
  clock.time += 1;
  t.equal(cache.peek('digest'), undefined);
});

t.test('what was read while changes were not heard of is read again once they are', async (t) => {
  const clock = manualClock();
  const cache = new KeyCache(async () => key, options, clock.now);
  await cache.lookup('digest');
  clock.time += 10;
  cache.hearing(clock.time, clock.time);
  t.equal(cache.peek('digest'), undefined);
  await cache.lookup('digest');
  t.equal(cache.peek('digest'), key);
  clock.time += 10;
  cache.hearing(clock.time, clock.time);
  t.equal(cache.peek('digest'), undefined, 'and so after each time that it was deaf');
});

t.test('a key that does not exist is remembered as such for a moment', async (t) => {
  const clock = manualClock();
  const cache = new KeyCache(async () => null, options, clock.now);
  t.equal(await cache.lookup('digest'), null);
  t.equal(cache.peek('digest'), null);
  cache.forget('digest');
  t.equal(cache.peek('digest'), undefined, 'until it comes to be');
  await cache.lookup('digest');
  clock.time += 1_000;
  cache.hearing(0, clock.time);
  t.equal(cache.peek('digest'), undefined);
});

t.test('a key that was known and is no more is not taken for a guess', async (t) => {
  let row: CallingKey | null = key;
  const cache = new KeyCache(async () => row, options);
  await cache.lookup('digest');
  row = null;
  cache.forget('digest');
  await cache.lookup('digest');
  await cache.lookup('another');
  t.equal(cache.wasKnown('digest'), true);
  t.equal(cache.wasKnown('another'), false);
});

t.test('it holds as many keys as it may, and lets go of those used longest ago', async (t) => {
  const cache = new KeyCache(async () => key, options);
  for (const digest of ['a', 'b', 'c']) await cache.lookup(digest);
  t.equal(cache.peek('a'), key);
  await cache.lookup('d');
  t.equal(cache.size, 3);
  t.equal(cache.peek('a'), key);
  t.equal(cache.peek('b'), undefined);
});

t.test('when it is not known what has changed everything is forgotten, answers on their way included', async (t) => {
  const { asked, find } = manualDatabase();
  const cache = new KeyCache(find, options);
  const early = cache.lookup('on its way');
  const known = cache.lookup('known');
  asked[1]?.resolve(key);
  await known;
  cache.forgetAll();
  asked[0]?.resolve(key);
  await early;
  t.strictSame([cache.peek('on its way'), cache.peek('known')], [undefined, undefined]);
});

t.test('a lookup that began before a change does not fill the cache after it', async (t) => {
  const { asked, find } = manualDatabase();
  const cache = new KeyCache(find, options);
  const early = cache.lookup('digest');
  cache.forget('digest');
  const late = cache.lookup('digest');
  asked[1]?.resolve({ ...key, active: false });
  t.match(await late, { active: false });
  asked[0]?.resolve(key);
  await early;
  t.match(cache.peek('digest'), { active: false });
});

t.test('while the database is away a known key is served, up to the configured age', async (t) => {
  let away = false;
  const clock = manualClock();
  const find = async (digest: string) => {
    if (away) throw new Error('away');
    return digest === 'revoked' ? null : key;
  };
  const cache = new KeyCache(find, options, clock.now);
  await cache.lookup('digest');
  await cache.lookup('changed');
  await cache.lookup('revoked');
  away = true;
  cache.forget('changed');
  clock.time += 30_000;
  t.equal(await cache.lookup('digest'), key);
  t.equal(cache.peek('digest'), key, 'and the next request does not ask again at once');
  t.equal(await cache.lookup('revoked'), null, 'a revocation that was seen stays seen');
  await t.rejects(cache.lookup('changed'), { message: 'away' }, 'what it has become nobody can say');
  clock.time += 30_000;
  await t.rejects(cache.lookup('digest'), { message: 'away' });
  await t.rejects(cache.lookup('revoked'), { message: 'away' });
  await t.rejects(cache.lookup('another'), { message: 'away' });
});

t.test('a database that does not answer is given up on', async (t) => {
  const cache = new KeyCache(() => new Promise(() => {}), options);
  await t.rejects(cache.lookup('digest'), { name: 'DeadlineError' });
});
