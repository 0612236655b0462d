import t, { type Test } from 'tap';
import { type CallingKey, KeyCache } from '../../../plugins/api-keys/key-cache.js';

// The faults in question (a database that is slow, away, or overtaken) are made here by hand.

const key: CallingKey = { id: 'id', name: 'n', start: 's', scopes: [], active: true, expiresAt: null };
const options = { ttlMs: 5_000, maxStaleMs: 60_000 };

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
  const now = Date.now();
  const cache = new KeyCache(async () => key, options);
  await cache.lookup('digest');
  t.equal(cache.peek('digest'), key);
  at(t, now + 6_000);
  t.equal(cache.peek('digest'), undefined);
});

t.test('a key that does not exist is remembered as such for a moment', async (t) => {
  const cache = new KeyCache(async () => null, options);
  t.equal(await cache.lookup('digest'), null);
  t.equal(cache.peek('digest'), null);
  cache.forget('digest');
  t.equal(cache.peek('digest'), undefined);
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
  const now = Date.now();
  const cache = new KeyCache(async () => {
    if (away) throw new Error('away');
    return key;
  }, options);
  await cache.lookup('digest');
  away = true;
  at(t, now + 30_000);
  t.equal(await cache.lookup('digest'), key);
  t.equal(cache.peek('digest'), key, 'and the next request does not ask again at once');
  at(t, now + 61_000);
  await t.rejects(cache.lookup('digest'), { message: 'away' });
  await t.rejects(cache.lookup('another'), { message: 'away' });
});

t.test('a database that does not answer is given up on', async (t) => {
  const cache = new KeyCache(() => new Promise(() => {}), options);
  await t.rejects(cache.lookup('digest'), { name: 'DeadlineError' });
});

function at(t: Test, time: number) {
  t.intercept(Date, 'now', { value: () => time });
}
