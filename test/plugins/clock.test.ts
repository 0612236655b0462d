import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { SteadyClock } from '../../plugins/clock.js';
import { createTestDatabase, needsPostgres, skipFileOnEmbedded } from '../database.js';
import { startService, untilStatus } from '../process.js';
import { startStopwatch } from '../stopwatch.js';

skipFileOnEmbedded();

const hourMs = 3_600_000;

t.test('the clock never goes back, and follows the database after a synchronization', async (t) => {
  const clock = new SteadyClock();
  t.equal(clock.offsetMs, null);
  const before = clock.now();
  t.ok(Math.abs(before - Date.now()) < 50);
  const compare = (databaseMs: number) => {
    const at = performance.now();
    clock.sync(databaseMs, at - 1, at + 1);
  };
  compare(Date.now() + hourMs);
  t.ok(Math.abs(clock.now() - Date.now() - hourMs) < 100);
  t.ok(Math.abs((clock.offsetMs ?? 0) - hourMs) < 100);
  const ahead = clock.now();
  compare(Date.now());
  let last = ahead;
  for (let i = 0; i < 1_000; i++) {
    const now = clock.now();
    if (now < last) t.fail('the clock went back');
    last = now;
  }
  t.ok(last - ahead < 1_000);
  t.intercept(Date, 'now', { value: () => 0 });
  t.ok(clock.now() >= last, 'changing the host time has no effect');
});

t.test('key validity does not depend on the host clock', { skip: needsPostgres }, async (t) => {
  const key = generateKey('mez');
  const own = { ...(await createTestDatabase()), BOOTSTRAP_ADMIN_KEY: key };
  // Only Date is shifted, because that is what a change of the host time changes for a process.
  const skewedBy = (ms: number) =>
    `--import=data:text/javascript,${encodeURIComponent(
      `const now = Date.now; const Real = Date; globalThis.Date = class extends Real { constructor(...a) { a.length ? super(...a) : super(now() + ${ms}); } static now() { return now() + ${ms}; } };`,
    )}`;
  const replicas = await Promise.all(
    [0, -hourMs, hourMs].map((ms) => startService({ ...own, ...(ms !== 0 && { NODE_OPTIONS: skewedBy(ms) }) })),
  );
  const headers = { 'x-api-key': key, 'content-type': 'application/json' };
  for (const through of replicas) {
    const create = { method: 'POST', headers, body: JSON.stringify({ name: 'turned' }) };
    const made = (await (await fetch(`${through.url}/v1/api-keys`, create)).json()) as { id: string; key: string };
    for (const { url } of replicas) await untilStatus(`${url}/v1/me`, 200, { headers: { 'x-api-key': made.key } });
    const rotation = { method: 'POST', headers, body: '{"graceSeconds":0}' };
    t.equal((await fetch(`${through.url}/v1/api-keys/${made.id}/rotate`, rotation)).status, 201);
    const stopwatch = startStopwatch();
    for (const { url } of replicas) await untilStatus(`${url}/v1/me`, 401, { headers: { 'x-api-key': made.key } });
    t.ok(stopwatch() < 1_000);
  }
  for (const [replica, offsetMs] of [
    [replicas[0], 0],
    [replicas[1], hourMs],
    [replicas[2], -hourMs],
  ] as const) {
    const health = (await (await fetch(`${replica?.url}/health`)).json()) as {
      checks: { database: { clockOffsetMs: number } };
    };
    t.ok(Math.abs(health.checks.database.clockOffsetMs - offsetMs) < 1_000);
    if (offsetMs !== 0) t.match(replica?.stdout(), /the host's clock differs from the database's/);
  }
});
