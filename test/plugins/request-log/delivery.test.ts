import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { needsCluster, startCluster } from '../../cluster.js';
import { createTestDatabase, requirePostgres } from '../../database.js';
import { startService } from '../../process.js';
import { BreakableDatabase } from '../database/proxy.js';
import { keepScraping, untilWritten } from './scraper.js';
import { steadyLoad } from './steady-load.js';
import { checkStatistics } from './sums.js';

requirePostgres();

const key = generateKey('mez');
const perSecond = 200;
const outageMs = 60_000;

t.setTimeout(300_000);
// The tests spend their time waiting, so they can run in parallel.
t.jobs = 4;

/** Makes the database fail under load, and checks that the request log is complete. */
async function runThroughOutage(t: Test, databaseUrl: string, checkUrl: string, fail: () => Promise<unknown>) {
  const { DATA_DIR } = await createTestDatabase();
  const variables = { DATA_DIR, DATABASE_URL: databaseUrl, BOOTSTRAP_ADMIN_KEY: key, KEY_CACHE_MAX_STALE_MS: '600000' };
  const service = await startService(variables);
  const load = steadyLoad(t, `${service.url}/v1/me`, { 'x-api-key': key }, perSecond);
  const scraper = keepScraping(t, service.url);
  while (load.responses.length < 2 * perSecond) await sleep(50);
  const memoryBefore = scraper.samples.at(-1)?.bytes ?? 0;

  await fail();

  const responsesBefore = load.responses.length;
  while (load.responses.length < responsesBefore + perSecond) await sleep(50);
  await load.stop();
  const { dropped } = await untilWritten(service.url);
  const samples = await scraper.stop();

  const bad = load.responses.filter(({ status }) => status !== 200);
  t.strictSame([load.failures, bad], [[], []], 'no request failed');
  t.equal(dropped, 0);
  const check = await connect(t, checkUrl);
  const { rows: found } = await check.query('SELECT count(*)::int AS n FROM request_logs WHERE id = ANY ($1)', [
    load.responses.map(({ id }) => id),
  ]);
  t.equal(found[0].n, load.responses.length, 'every request with a response has a row');
  const rows = await checkStatistics(t, check);
  const peak = Math.max(...samples.map(({ bytes }) => bytes));
  t.ok(peak < memoryBefore + 60e6, 'memory is bounded');
  t.ok(Math.max(...samples.map(({ buffered }) => buffered)) < 2 * perSecond, 'the buffer holds few records');
  const spooled = Math.max(...samples.map(({ spooled }) => spooled));
  t.comment(
    `${rows} requests, ${spooled} in the spool at most, memory ${mb(memoryBefore)} to ${mb(peak)}, ${samples.length} scrapes`,
  );
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
  return { spooled };
}

t.test(
  `no record is lost while PostgreSQL is stopped for ${outageMs / 1_000} s`,
  { skip: needsCluster, buffered: true },
  async (t) => {
    const cluster = await startCluster(t);
    const { spooled } = await runThroughOutage(t, cluster.url, cluster.url, async () => {
      await cluster.stop('fast');
      await sleep(outageMs);
      await cluster.start();
    });
    t.ok(spooled > (perSecond * outageMs) / 1_000 / 2);
  },
);

t.test(
  'no record is lost when PostgreSQL is restarted without a shutdown',
  { skip: needsCluster, buffered: true },
  async (t) => {
    const cluster = await startCluster(t);
    await runThroughOutage(t, cluster.url, cluster.url, async () => {
      for (let i = 0; i < 3; i++) {
        await cluster.stop('immediate');
        await cluster.start();
        await sleep(500);
      }
    });
  },
);

t.test('no record is lost when connections are terminated repeatedly', { buffered: true }, async (t) => {
  const url = (await createTestDatabase()).DATABASE_URL ?? '';
  const client = await connect(t, url);
  await runThroughOutage(t, url, url, async () => {
    for (let i = 0; i < 100; i++) {
      await client.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      await sleep(50);
    }
  });
});

t.test('no record is lost when the network is slow and then resets connections', { buffered: true }, async (t) => {
  const url = (await createTestDatabase()).DATABASE_URL ?? '';
  const proxy = new BreakableDatabase(url);
  await proxy.listen();
  const { spooled } = await runThroughOutage(t, proxy.url, url, async () => {
    for (let i = 0; i < 3; i++) {
      proxy.delay(1_000);
      await sleep(3_000);
      proxy.delay(0);
      await proxy.break();
      await sleep(500);
      await proxy.listen();
      await sleep(1_000);
    }
  });
  t.ok(spooled > 0);
});

async function connect(t: Test, url: string) {
  const client = new pg.Client(url);
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

function mb(bytes: number) {
  return `${Math.round(bytes / 1e6)} MB`;
}
