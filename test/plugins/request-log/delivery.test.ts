import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { needsCluster, startCluster } from '../../cluster.js';
import { needsPostgres, ownDatabase } from '../../database.js';
import { startService } from '../../process.js';
import { BreakableDatabase } from '../database/proxy.js';
import { keepScraping, untilWritten } from './scraper.js';
import { steadyLoad } from './steady-load.js';
import { agree } from './sums.js';

const key = generateKey('mez');
const perSecond = 200;
const outageMs = 60_000;

t.setTimeout(300_000);
// A minute of outage is a minute of waiting.
t.jobs = 4;

/** Lets the database fail under load, and holds the log to what it promises. */
async function survive(t: Test, databaseUrl: string, checkUrl: string, fail: () => Promise<unknown>) {
  const { DATA_DIR } = await ownDatabase();
  const variables = { DATA_DIR, DATABASE_URL: databaseUrl, BOOTSTRAP_ADMIN_KEY: key, KEY_CACHE_MAX_STALE_MS: '600000' };
  const service = await startService(variables);
  const load = steadyLoad(t, `${service.url}/v1/me`, { 'x-api-key': key }, perSecond);
  const scraper = keepScraping(t, service.url);
  while (load.answers.length < 2 * perSecond) await sleep(50);
  const memoryBefore = scraper.seen.at(-1)?.bytes ?? 0;

  await fail();

  const answered = load.answers.length;
  while (load.answers.length < answered + perSecond) await sleep(50);
  await load.stop();
  const { dropped } = await untilWritten(service.url);
  const seen = await scraper.stop();

  const bad = load.answers.filter(({ status }) => status !== 200);
  t.strictSame([load.failures, bad], [[], []], 'no request failed');
  t.equal(dropped, 0);
  const check = await connect(t, checkUrl);
  const { rows: found } = await check.query('SELECT count(*)::int AS n FROM request_logs WHERE id = ANY ($1)', [
    load.answers.map(({ id }) => id),
  ]);
  t.equal(found[0].n, load.answers.length, 'every answered request has its row');
  const rows = await agree(t, check);
  const peak = Math.max(...seen.map(({ bytes }) => bytes));
  t.ok(peak < memoryBefore + 60e6, 'memory is bounded');
  t.ok(Math.max(...seen.map(({ buffered }) => buffered)) < 2 * perSecond, 'and holds few records');
  const spooled = Math.max(...seen.map(({ spooled }) => spooled));
  t.comment(
    `${rows} requests, ${spooled} in the spool at most, memory ${mb(memoryBefore)} to ${mb(peak)}, ${seen.length} scrapes`,
  );
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
  return { spooled };
}

t.test(
  `a PostgreSQL that is stopped for ${outageMs / 1_000} s loses no record`,
  { skip: needsPostgres || needsCluster, buffered: true },
  async (t) => {
    const cluster = await startCluster(t);
    const { spooled } = await survive(t, cluster.url, cluster.url, async () => {
      await cluster.stop('fast');
      await sleep(outageMs);
      await cluster.start();
    });
    t.ok(spooled > (perSecond * outageMs) / 1_000 / 2);
  },
);

t.test(
  'nor does one that is restarted without a shutdown',
  { skip: needsPostgres || needsCluster, buffered: true },
  async (t) => {
    const cluster = await startCluster(t);
    await survive(t, cluster.url, cluster.url, async () => {
      for (let i = 0; i < 3; i++) {
        await cluster.stop('immediate');
        await cluster.start();
        await sleep(500);
      }
    });
  },
);

t.test('nor connections that are cut again and again', { skip: needsPostgres, buffered: true }, async (t) => {
  const url = (await ownDatabase()).DATABASE_URL ?? '';
  const client = await connect(t, url);
  await survive(t, url, url, async () => {
    for (let i = 0; i < 100; i++) {
      await client.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      await sleep(50);
    }
  });
});

t.test('nor a network that is slow and then resets', { skip: needsPostgres, buffered: true }, async (t) => {
  const url = (await ownDatabase()).DATABASE_URL ?? '';
  const between = new BreakableDatabase(url);
  await between.mend();
  const { spooled } = await survive(t, between.url, url, async () => {
    for (let i = 0; i < 3; i++) {
      between.delay(1_000);
      await sleep(3_000);
      between.delay(0);
      await between.break();
      await sleep(500);
      await between.mend();
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
