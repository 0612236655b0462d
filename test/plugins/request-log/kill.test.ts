import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { needsPostgres, ownDatabase } from '../../database.js';
import { startService } from '../../process.js';
import { BreakableDatabase } from '../database/proxy.js';
import { keepScraping, untilWritten } from './scraper.js';
import { type Answer, steadyLoad } from './steady-load.js';
import { agree } from './sums.js';

const key = generateKey('mez');
const rounds = 20;
const perSecond = 200;
const flushMs = 100;
const syncMs = 500;
/** For the scheduler of a machine that is busy with other tests. */
const slackMs = 500;
/** Well beyond what may be lost: if all were, it would show. */
const lifeMs = 2_000;

t.setTimeout(400_000);
t.jobs = 2;

t.test(
  'kill -9 loses no more than what was answered since the last batch left, and that batch',
  { skip: needsPostgres, buffered: true },
  async (t) => {
    const variables = await ownDatabase();
    const killed: { answers: Answer[]; at: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      const { service, load, scraper } = await startLoad(t, variables);
      await sleep(lifeMs + Math.random() * flushMs);
      await scraper.stop();
      killed.push({ answers: load.answers, at: Date.now() });
      service.child.kill('SIGKILL');
      await Promise.all([service.exited, load.stop()]);
    }
    const worst = await worstLoss(t, variables.DATABASE_URL ?? '', killed);
    hold(t, worst, 2 * flushMs + slackMs);
  },
);

t.test(
  'kill -9 while the database is away loses nothing that was in the spool for half a second',
  { skip: needsPostgres, buffered: true },
  async (t) => {
    const { DATA_DIR, DATABASE_URL = '' } = await ownDatabase();
    const between = new BreakableDatabase(DATABASE_URL);
    await between.mend();
    const killed: { answers: Answer[]; at: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      const { service, load, scraper } = await startLoad(t, { DATA_DIR, DATABASE_URL: between.url });
      await sleep(200);
      await between.break();
      await sleep(lifeMs + Math.random() * flushMs);
      await scraper.stop();
      killed.push({ answers: load.answers, at: Date.now() });
      service.child.kill('SIGKILL');
      await Promise.all([service.exited, load.stop()]);
      await between.mend();
    }
    const last = await startService({ DATA_DIR, DATABASE_URL });
    await untilWritten(last.url);
    const worst = await worstLoss(t, DATABASE_URL, killed);
    hold(t, worst, flushMs + syncMs + slackMs);
  },
);

function hold(t: Test, worst: Loss, longestMs: number) {
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
  /** How long before the kill the first of them was answered. */
  ageMs: number;
}

/** Of the requests answered before each kill, those without a row; told to whoever reads the report. */
async function worstLoss(t: Test, url: string, killed: { answers: Answer[]; at: number }[]): Promise<Loss> {
  const client = new pg.Client(url);
  await client.connect();
  t.teardown(() => client.end());
  const losses: Loss[] = [];
  for (const { answers, at } of killed) {
    const before = answers.filter((answer) => answer.at <= at);
    const { rows } = await client.query<{ id: string }>('SELECT id FROM request_logs WHERE id = ANY ($1)', [
      before.map(({ id }) => id),
    ]);
    const written = new Set(rows.map(({ id }) => id));
    const lost = before.filter(({ id }) => !written.has(id));
    losses.push({ records: lost.length, ageMs: Math.max(0, ...lost.map((answer) => at - answer.at)) });
  }
  await agree(t, client);
  const answered = killed.reduce((sum, { answers }) => sum + answers.length, 0);
  const worst = {
    records: Math.max(...losses.map(({ records }) => records)),
    ageMs: Math.max(...losses.map(({ ageMs }) => ageMs)),
  };
  t.comment(
    `${killed.length} kills, ${answered} requests answered: at most ${worst.records} lost, the oldest answered ${worst.ageMs} ms before`,
  );
  t.ok(answered > (killed.length * perSecond * lifeMs) / 2_000);
  return worst;
}
