import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { needsClickHouse, TestClickHouse } from '../../clickhouse/server.js';
import { needsCluster, startCluster } from '../../cluster.js';
import { createTestDatabase, requirePostgres } from '../../database.js';
import { startService } from '../../process.js';
import { checkOfClickHouse, checkOfPostgres, type LogCheck, logDatabases } from './log-databases.js';
import { keepScraping, untilWritten } from './scraper.js';
import { steadyLoad } from './steady-load.js';

requirePostgres();

const key = generateKey('mez');
const perSecond = 200;
const outageMs = 60_000;

t.setTimeout(300_000);
// The tests spend their time waiting, so they can run in parallel.
t.jobs = 6;

/** Makes the database fail under load, and checks that the request log is complete. */
async function runThroughOutage(t: Test, variables: NodeJS.ProcessEnv, check: LogCheck, fail: () => Promise<unknown>) {
  const service = await startService({ ...variables, BOOTSTRAP_ADMIN_KEY: key, KEY_CACHE_MAX_STALE_MS: '600000' });
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
  const found = await check.storedIds(load.responses.map(({ id }) => id));
  t.equal(found.size, load.responses.length, 'every request with a response has a row');
  const rows = await check.checkStatistics(t);
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
    const { spooled } = await runOn(t, cluster.url, async () => {
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
    await runOn(t, cluster.url, async () => {
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
  const client = new pg.Client(url);
  await client.connect();
  t.teardown(() => client.end());
  await runOn(t, url, async () => {
    for (let i = 0; i < 100; i++) {
      await client.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      await sleep(50);
    }
  });
});

t.test(
  `no record is lost while ClickHouse is stopped for ${outageMs / 1_000} s, and when it is killed`,
  { skip: needsClickHouse, buffered: true },
  async (t) => {
    const server = await TestClickHouse.start(t);
    const variables = { ...(await createTestDatabase()), REQUEST_LOG_URL: server.url, REQUEST_LOG_FLUSH_MS: '100' };
    const { spooled } = await runThroughOutage(t, variables, checkOfClickHouse(t, server.url), async () => {
      for (const downMs of [100, 100, outageMs]) {
        await server.stop();
        await sleep(downMs);
        await server.restart();
        await sleep(500);
      }
    });
    t.ok(spooled > (perSecond * outageMs) / 1_000 / 2);
  },
);

for (const { name, skip, open } of logDatabases)
  t.test(
    `no record is lost when the network to ${name} is slow and then resets connections`,
    { skip, buffered: true },
    async (t) => {
      const { variables, proxy, check } = await open(t);
      const { spooled } = await runThroughOutage(t, variables, check, async () => {
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
    },
  );

/** Runs a service on a PostgreSQL, and makes that fail. */
async function runOn(t: Test, DATABASE_URL: string, fail: () => Promise<unknown>) {
  const { DATA_DIR } = await createTestDatabase();
  return runThroughOutage(t, { DATA_DIR, DATABASE_URL }, checkOfPostgres(t, DATABASE_URL), fail);
}

function mb(bytes: number) {
  return `${Math.round(bytes / 1e6)} MB`;
}
