import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { Progress } from '../../bench/progress.js';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { databaseConfig } from '../../src/config/database.js';
import { needsCluster, startCluster } from '../cluster.js';
import { needsPostgres } from '../database.js';
import { temporaryDirectory } from '../deploy/proxy-processes.js';
import { keepScraping, untilWritten } from '../plugins/request-log/scraper.js';
import { agree } from '../plugins/request-log/sums.js';
import { run } from '../process.js';
import type { LoadReport } from './load.js';
import { moreThan, startSoaked, sumOf, type Vitals } from './soaked.js';

const { SOAK_SECONDS, SOAK_PER_SECOND = '200', CI } = process.env;
const seconds = Number(SOAK_SECONDS || 60);
// Two minutes of ten.
const warmUpSeconds = seconds / 5;
const awaySeconds = Math.min(5, seconds / 12);
const samples = 60;
/** Idle connections have ended by then. */
const quietMs = databaseConfig.idleTimeout + 1_000;
const quietDeadlineMs = 60_000;

const notNow = !CI && !SOAK_SECONDS && 'takes over a minute: it runs where CI is set, and by npm run soak';
const progress = new Progress();
t.setTimeout((seconds + 180) * 1_000);

const name = `${seconds} s of mixed load, with rotations, revocations and a restart of the database`;
t.test(name, { skip: needsPostgres || needsCluster || notNow }, async (t) => {
  const cluster = await startCluster(t);
  const key = generateKey('mez');
  const DATA_DIR = temporaryDirectory(t);
  const service = await startSoaked({ DATA_DIR, DATABASE_URL: cluster.url, BOOTSTRAP_ADMIN_KEY: key });
  progress.begin('at rest', seconds + (2 * quietMs) / 1_000);
  await sleep(quietMs);
  // So that the connection of this process, which is kept, is among what there is.
  await untilWritten(service.url);
  const atRest = await service.vitals();
  progress.end(told(atRest));

  const variables = { URL: service.url, ADMIN_KEY: key, PER_SECOND: SOAK_PER_SECOND };
  const load = run('test/soak/load.ts', [], variables);
  const scraper = keepScraping(t, service.url);
  const early = await soak('warming up', 0, warmUpSeconds);
  const middle = await soak('under load', warmUpSeconds, seconds / 2);
  progress.begin('PostgreSQL away', seconds / 2);
  await cluster.stop('immediate');
  await sleep(awaySeconds * 1_000);
  const { spooled } = scraper.seen.at(-1) ?? { spooled: 0 };
  await cluster.start();
  progress.end(`${spooled} records in the spool`);
  const late = await soak('under load', seconds / 2 + awaySeconds, seconds);

  load.child.kill('SIGTERM');
  await load.exited;
  const { ids, surprises, rotations, revocations, shed }: LoadReport = JSON.parse(load.stdout());
  // One after the other, so that the service has one connection of this process and not two.
  const scrapes = await scraper.stop();
  const { accepted, dropped } = await untilWritten(service.url);

  t.strictSame([...new Set(surprises)].slice(0, 10), [], `none of ${ids.length} requests failed that should not`);
  t.ok(shed <= ids.length / 20, `${shed} were turned away because the machine was late`);
  t.ok(rotations > seconds / 4 && revocations > seconds / 4, `${rotations} keys rotated, ${revocations} revoked`);
  t.ok(spooled > 0, `${spooled} records were in the spool while the database was away`);
  t.equal(dropped, 0, 'and none was dropped');
  t.ok(
    scrapes.length > seconds,
    `accepted = written + buffered + spooled + dropped at each of ${scrapes.length} scrapes`,
  );
  await checkRows(t, cluster.url, ids, accepted);

  const settled = middle.slice(0, samples / 5);
  const [before, after] = [medianHeap(settled), medianHeap(late.slice(-samples / 5))];
  const growth = (after / before - 1) * 100;
  t.ok(
    growth <= 10,
    `the heap grew by ${growth.toFixed(1)} %: ${mb(before)} from ${warmUpSeconds} s on, ${mb(after)} at the end`,
  );
  const most = Math.max(...[...early, ...middle, ...late].map(({ rss }) => rss));
  t.comment(`resident at most ${mb(most)}; heap from ${mb(atRest.heapUsed)} at rest`);

  progress.begin('coming to rest', quietMs / 1_000);
  const deadline = performance.now() + quietDeadlineMs;
  let atLast = await service.vitals();
  while (moreThan(atRest, atLast).length > 0 && performance.now() < deadline) {
    await sleep(500);
    atLast = await service.vitals();
  }
  progress.end(told(atLast));
  t.strictSame(moreThan(atRest, atLast), [], `no handle is left: ${told(atRest)} before, ${told(atLast)} after`);
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0, 'it stops with exit code 0');

  /** Lets the load go on, and takes samples evenly. */
  async function soak(label: string, from: number, to: number): Promise<Vitals[]> {
    progress.begin(label, seconds - from);
    const seen: Vitals[] = [];
    const end = performance.now() + (to - from) * 1_000;
    while (performance.now() < end) {
      await sleep(Math.min((seconds / samples) * 1_000, end - performance.now()));
      seen.push(await service.vitals());
    }
    progress.end(told(seen.at(-1) as Vitals));
    return seen;
  }
});

/** @param accepted how many records the log says it took */
async function checkRows(t: Test, url: string, ids: string[], accepted: number) {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query('SELECT count(*)::int AS n FROM request_logs WHERE id = ANY ($1)', [ids]);
  t.strictSame([rows[0].n, new Set(ids).size], [ids.length, ids.length], `each of ${ids.length} answers has its row`);
  t.equal(await agree(t, client), accepted, `and there are as many rows as records accepted: ${accepted}`);
  t.equal(accepted, ids.length, 'and no more than answers');
  await client.end();
}

function medianHeap(seen: Vitals[]): number {
  const sorted = seen.map(({ heapUsed }) => heapUsed).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function told({ heapUsed, descriptors, resources }: Vitals): string {
  return `heap ${mb(heapUsed)}, ${sumOf(descriptors)} descriptors, ${sumOf(resources)} resources`;
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
