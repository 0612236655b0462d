import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { requirePostgres } from '../../database.js';
import { startService } from '../../process.js';
import { type LogCheck, logDatabases } from './log-databases.js';
import { keepScraping, untilWritten } from './scraper.js';
import { type LoadResponse, steadyLoad } from './steady-load.js';

requirePostgres();

const key = generateKey('mez');
const maxRounds = 20;
const minRounds = 5;
/** A slow machine has fewer rounds. */
const budgetsMs = { PostgreSQL: 60_000, ClickHouse: 25_000 };
const stores = logDatabases.map((store) => ({ ...store, budgetMs: budgetsMs[store.name] }));
const perSecond = 200;
const flushMs = 100;
const syncMs = 500;
/** Tolerance for a machine that is busy with other tests. */
const toleranceMs = 500;
/** Much longer than the period that may be lost, so that the loss of all records is detected. */
const runMs = 2_000;

t.setTimeout(400_000);
t.jobs = 2;

for (const { name, skip, budgetMs, open } of stores) {
  t.test(
    `kill -9 loses at most the records of the last batch and of the time since then, with the log in ${name}`,
    { skip, buffered: true },
    async (t) => {
      const { variables, check } = await open(t);
      const killed: { responses: LoadResponse[]; at: number }[] = [];
      const startedAt = performance.now();
      for (let round = 0; round < minRounds || hasTimeFor(round, startedAt, budgetMs); round++) {
        const { service, load, scraper } = await startLoad(t, variables);
        await sleep(runMs + Math.random() * flushMs);
        await scraper.stop();
        killed.push({ responses: load.responses, at: Date.now() });
        service.child.kill('SIGKILL');
        await Promise.all([service.exited, load.stop()]);
      }
      const worst = await worstLoss(t, check, killed);
      checkLoss(t, worst, 2 * flushMs + toleranceMs);
    },
  );

  t.test(
    `kill -9 while ${name} is down loses no record that was in the spool for half a second`,
    { skip, buffered: true },
    async (t) => {
      const { variables, proxy, check } = await open(t);
      const killed: { responses: LoadResponse[]; at: number }[] = [];
      const startedAt = performance.now();
      for (let round = 0; round < minRounds || hasTimeFor(round, startedAt, budgetMs); round++) {
        const { service, load, scraper } = await startLoad(t, variables);
        await sleep(200);
        await proxy.break();
        await sleep(runMs + Math.random() * flushMs);
        await scraper.stop();
        killed.push({ responses: load.responses, at: Date.now() });
        service.child.kill('SIGKILL');
        await Promise.all([service.exited, load.stop()]);
        await proxy.listen();
      }
      const last = await startService(variables);
      await untilWritten(last.url);
      const worst = await worstLoss(t, check, killed);
      checkLoss(t, worst, flushMs + syncMs + toleranceMs);
    },
  );
}

function hasTimeFor(round: number, startedAt: number, budgetMs: number): boolean {
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
async function worstLoss(t: Test, check: LogCheck, killed: { responses: LoadResponse[]; at: number }[]): Promise<Loss> {
  const losses: Loss[] = [];
  for (const { responses, at } of killed) {
    const before = responses.filter((response) => response.at <= at);
    const written = await check.storedIds(before.map(({ id }) => id));
    const lost = before.filter(({ id }) => !written.has(id));
    losses.push({ records: lost.length, ageMs: Math.max(0, ...lost.map((response) => at - response.at)) });
  }
  await check.checkStatistics(t);
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
