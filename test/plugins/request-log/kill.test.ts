import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { createTestDatabase, requirePostgres } from '../../database.js';
import { startService } from '../../process.js';
import { BreakableDatabase } from '../database/proxy.js';
import { keepScraping, untilWritten } from './scraper.js';
import { type LoadResponse, steadyLoad } from './steady-load.js';
import { checkStatistics } from './sums.js';

requirePostgres();

const key = generateKey('mez');
const maxRounds = 20;
const minRounds = 5;
/** A slow machine has fewer rounds. */
const budgetMs = 90_000;
const perSecond = 200;
const flushMs = 100;
const syncMs = 500;
/** Tolerance for a machine that is busy with other tests. */
const toleranceMs = 500;
/** Much longer than the period that may be lost, so that the loss of all records is detected. */
const runMs = 2_000;

t.setTimeout(400_000);
t.jobs = 2;

t.test(
  'kill -9 loses at most the records of the last batch and of the time since then',
  { buffered: true },
  async (t) => {
    const variables = await createTestDatabase();
    const killed: { responses: LoadResponse[]; at: number }[] = [];
    for (let round = 0; round < minRounds || hasTimeFor(round); round++) {
      const { service, load, scraper } = await startLoad(t, variables);
      await sleep(runMs + Math.random() * flushMs);
      await scraper.stop();
      killed.push({ responses: load.responses, at: Date.now() });
      service.child.kill('SIGKILL');
      await Promise.all([service.exited, load.stop()]);
    }
    const worst = await worstLoss(t, variables.DATABASE_URL ?? '', killed);
    checkLoss(t, worst, 2 * flushMs + toleranceMs);
  },
);

t.test(
  'kill -9 while the database is down loses no record that was in the spool for half a second',
  { buffered: true },
  async (t) => {
    const { DATA_DIR, DATABASE_URL = '' } = await createTestDatabase();
    const proxy = new BreakableDatabase(DATABASE_URL);
    await proxy.listen();
    const killed: { responses: LoadResponse[]; at: number }[] = [];
    for (let round = 0; round < minRounds || hasTimeFor(round); round++) {
      const { service, load, scraper } = await startLoad(t, { DATA_DIR, DATABASE_URL: proxy.url });
      await sleep(200);
      await proxy.break();
      await sleep(runMs + Math.random() * flushMs);
      await scraper.stop();
      killed.push({ responses: load.responses, at: Date.now() });
      service.child.kill('SIGKILL');
      await Promise.all([service.exited, load.stop()]);
      await proxy.listen();
    }
    const last = await startService({ DATA_DIR, DATABASE_URL });
    await untilWritten(last.url);
    const worst = await worstLoss(t, DATABASE_URL, killed);
    checkLoss(t, worst, flushMs + syncMs + toleranceMs);
  },
);

const startedAt = performance.now();
function hasTimeFor(round: number): boolean {
  return round < maxRounds && performance.now() - startedAt < budgetMs;
}

function checkLoss(t: Test, worst: Loss, longestMs: number) {
  t.ok(worst.ageMs <= longestMs && worst.records <= (longestMs / 1_000) * perSecond, JSON.stringify(worst));
}

async function startLoad(t: Test, variables: NodeJS.ProcessEnv) {
  const service = await startService({
    ...variables,
    BOOTSTRAP_ADMIN_KEY: key,
    REQUEST_LOG_FLUSH_MS: `${flushMs}`,
  });
  const load = steadyLoad(t, `${service.url}/v1/me`, { 'x-api-key': key }, perSecond);
  return { service, load, scraper: keepScraping(t, service.url) };
}

interface Loss {
  records: number;
  /** The time from the response to the oldest lost request until the kill. */
  ageMs: number;
}

/** Returns the worst loss by a kill: the requests with a response before the kill that have no row. */
async function worstLoss(t: Test, url: string, killed: { responses: LoadResponse[]; at: number }[]): Promise<Loss> {
  const client = new pg.Client(url);
  await client.connect();
  t.teardown(() => client.end());
  const losses: Loss[] = [];
  for (const { responses, at } of killed) {
    const before = responses.filter((response) => response.at <= at);
    const { rows } = await client.query<{ id: string }>('SELECT id FROM request_logs WHERE id = ANY ($1)', [
      before.map(({ id }) => id),
    ]);
    const written = new Set(rows.map(({ id }) => id));
    const lost = before.filter(({ id }) => !written.has(id));
    losses.push({ records: lost.length, ageMs: Math.max(0, ...lost.map((response) => at - response.at)) });
  }
  await checkStatistics(t, client);
  const total = killed.reduce((sum, { responses }) => sum + responses.length, 0);
  const worst = {
    records: Math.max(...losses.map(({ records }) => records)),
    ageMs: Math.max(...losses.map(({ ageMs }) => ageMs)),
  };
  t.comment(
    `${killed.length} kills, ${total} responses: at most ${worst.records} records lost, the oldest ${worst.ageMs} ms before the kill`,
  );
  t.ok(total > (killed.length * perSecond * runMs) / 2_000);
  return worst;
}
