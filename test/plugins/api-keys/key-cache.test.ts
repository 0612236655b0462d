import t from 'tap';
import { type AuthenticatedKey, KeyCache } from '../../../plugins/api-keys/key-cache.js';

// Simulates a database that is slow or down, and changes during lookups.

const key: AuthenticatedKey = {
  id: 'id',
  name: 'n',
  start: 's',
  scopes: [],
  active: true,
  expiresAt: null,
  metadataLength: 0,
  monotonicExpiryMs: Number.POSITIVE_INFINITY,
  rateLimitPerMinute: null,
  limits: [],
  quotas: [],
  ownerId: null,
  metadata: null,
  allowedIps: null,
};
const options = { ttlMs: 5_000, maxStaleMs: 60_000, maxEntries: 3 };

/** A clock that the test sets. */
function manualClock() {
  const clock = { time: 1_000_000, now: () => clock.time };
  return clock;
}

/** A database whose lookups the test resolves. */
function manualDatabase() {
  const pendingLookups: { resolve(key: AuthenticatedKey | null): void; reject(error: Error): void }[] = [];
  const find = () =>
    new Promise<AuthenticatedKey | null>((resolve, reject) => pendingLookups.push({ resolve, reject }));
  return { pendingLookups, find };
}

t.test('concurrent lookups of the same key cause one database query', async (t) => {
  const { pendingLookups, find } = manualDatabase();
  const cache = new KeyCache(find, options);
  const lookups = Array.from({ length: 100 }, () => cache.lookup('digest'));
  pendingLookups[0]?.resolve(key);
  t.strictSame(await Promise.all(lookups), Array(100).fill(key));
  t.equal(pendingLookups.length, 1);
});

t.test('a cached key is a synchronous hit until its time to live has passed', async (t) => {
  const clock = manualClock();
  const cache = new KeyCache(async () => key, options, clock.now);
  await cache.lookup('digest');
  clock.time += 4_999;
  t.equal(cache.peek('digest'), key);
  clock.time += 1;
  t.equal(cache.peek('digest'), undefined);
});

t.test('a time to live of 0 disables the cache', async (t) => {
  const clock = manualClock();
  const cache = new KeyCache(async () => key, { ...options, ttlMs: 0 }, clock.now);
  await cache.lookup('digest');
  t.equal(cache.peek('digest'), undefined);
  cache.markReceived(0, clock.time);
  t.equal(cache.peek('digest'), undefined);
});

t.test('a key stays fresh while changes are received, and expires by its time to live afterwards', async (t) => {
  const clock = manualClock();
  const cache = new KeyCache(async () => key, options, clock.now);
  cache.markReceived(clock.time, clock.time);
  await cache.lookup('digest');
  for (let i = 0; i < 100; i++) {
    clock.time += 4_000;
    cache.markReceived(1_000_000, clock.time);
  }
  clock.time += 4_999;
  t.equal(cache.peek('digest'), key);
  clock.time += 1;
  t.equal(cache.peek('digest'), undefined);
});

t.test('an entry that was read while changes were not received is read again when they are', async (t) => {
  const clock = manualClock();
  const cache = new KeyCache(async () => key, options, clock.now);
  await cache.lookup('digest');
  clock.time += 10;
  cache.markReceived(clock.time, clock.time);
  t.equal(cache.peek('digest'), undefined);
  await cache.lookup('digest');
  t.equal(cache.peek('digest'), key);
  clock.time += 10;
  cache.markReceived(clock.time, clock.time);
  t.equal(cache.peek('digest'), undefined, 'the same applies after each interruption');
});

t.test('an unknown key is cached for at most a second', async (t) => {
  const clock = manualClock();
  const cache = new KeyCache(async () => null, options, clock.now);
  t.equal(await cache.lookup('digest'), null);
  t.equal(cache.peek('digest'), null);
  cache.invalidate('digest');
  t.equal(cache.peek('digest'), undefined, 'a change removes the entry');
  await cache.lookup('digest');
  clock.time += 1_000;
  cache.markReceived(0, clock.time);
  t.equal(cache.peek('digest'), undefined);
});

t.test('a deleted key still counts as known', async (t) => {
  let row: AuthenticatedKey | null = key;
  const cache = new KeyCache(async () => row, options);
  await cache.lookup('digest');
  row = null;
  cache.invalidate('digest');
  await cache.lookup('digest');
  await cache.lookup('another');
  t.equal(cache.hasChanged('digest'), true);
  t.equal(cache.hasChanged('another'), false);
});

t.test('the cache holds at most maxEntries keys and evicts the least recently used one', async (t) => {
  const cache = new KeyCache(async () => key, options);
  for (const digest of ['a', 'b', 'c']) await cache.lookup(digest);
  t.equal(cache.peek('a'), key);
  await cache.lookup('d');
  t.equal(cache.size, 3);
  t.equal(cache.peek('a'), key);
  t.equal(cache.peek('b'), undefined);
});

t.test('invalidateAll drops all entries and the results of pending lookups', async (t) => {
  const { pendingLookups, find } = manualDatabase();
  const cache = new KeyCache(find, options);
  const early = cache.lookup('on its way');
  const known = cache.lookup('known');
  pendingLookups[1]?.resolve(key);
  await known;
  cache.invalidateAll();
  pendingLookups[0]?.resolve(key);
  await early;
  t.strictSame([cache.peek('on its way'), cache.peek('known')], [undefined, undefined]);
});

t.test('a lookup that began before a change does not fill the cache after it', async (t) => {
  const { pendingLookups, find } = manualDatabase();
  const cache = new KeyCache(find, options);
  const early = cache.lookup('digest');
  cache.invalidate('digest');
  const late = cache.lookup('digest');
  pendingLookups[1]?.resolve({ ...key, active: false });
  t.match(await late, { active: false });
  pendingLookups[0]?.resolve(key);
  await early;
  t.match(cache.peek('digest'), { active: false });
});

t.test('while the database is down a cached key is used, up to the configured age', async (t) => {
  let isDown = false;
  const clock = manualClock();
  const find = async (digest: string) => {
    if (isDown) throw new Error('database is down');
    return digest === 'revoked' ? null : key;
  };
  const cache = new KeyCache(find, options, clock.now);
  await cache.lookup('digest');
  await cache.lookup('changed');
  await cache.lookup('revoked');
  isDown = true;
  cache.invalidate('changed');
  clock.time += 30_000;
  t.equal(await cache.lookup('digest'), key);
  t.equal(cache.peek('digest'), key, 'the next request does not query the database again');
  t.equal(await cache.lookup('revoked'), null, 'a revocation in the cache stays effective');
  await t.rejects(cache.lookup('changed'), { message: 'database is down' }, 'a changed key is not used');
  clock.time += 30_000;
  await t.rejects(cache.lookup('digest'), { message: 'database is down' });
  await t.rejects(cache.lookup('revoked'), { message: 'database is down' });
  await t.rejects(cache.lookup('another'), { message: 'database is down' });
});

t.test('a lookup fails with DeadlineError if the database does not respond', async (t) => {
  const cache = new KeyCache(() => new Promise(() => {}), options);
  await t.rejects(cache.lookup('digest'), { name: 'DeadlineError' });
});
