import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { Progress } from '../../bench/progress.js';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { databaseConfig } from '../../src/config/database.js';
import { needsCluster, startCluster } from '../cluster.js';
import { requirePostgres } from '../database.js';

import { keepScraping, untilWritten } from '../plugins/request-log/scraper.js';
import { checkStatistics } from '../plugins/request-log/sums.js';
import { run } from '../process.js';
import { temporaryDirectory } from '../temporary-directory.js';
import type { LoadReport } from './load.js';
import { increases, startSoaked, sumOf, type Vitals } from './soaked.js';

requirePostgres();

const { SOAK_SECONDS, SOAK_PER_SECOND = '200', CI } = process.env;
const seconds = Number(SOAK_SECONDS || 60);
// Two minutes of the default ten.
const warmUpSeconds = seconds / 5;
const outageSeconds = Math.min(5, seconds / 12);
const samples = 60;
/** After this time idle connections are closed. */
const quietMs = databaseConfig.idleTimeout + 1_000;
const quietDeadlineMs = 60_000;

const skipWithoutCi = !CI && !SOAK_SECONDS && 'takes over a minute: runs in CI and with npm run soak';
const progress = new Progress();
t.setTimeout((seconds + 180) * 1_000);

const name = `${seconds} s of mixed load, with rotations, revocations and a restart of the database`;
t.test(name, { skip: needsCluster || skipWithoutCi }, async (t) => {
  const cluster = await startCluster(t);
  const key = generateKey('mez');
  const DATA_DIR = temporaryDirectory(t);
  const service = await startSoaked({
    ...{ DATA_DIR, DATABASE_URL: cluster.url, BOOTSTRAP_ADMIN_KEY: key },
    TRUST_PROXY: '127.0.0.1',
  });
  progress.begin('at rest', seconds + (2 * quietMs) / 1_000);
  await sleep(quietMs);
  // Opens the keep-alive connection of this process, so that it is part of the baseline.
  await untilWritten(service.url);
  const atRest = await service.vitals();
  progress.end(summaryOf(atRest));

  const variables = { URL: service.url, ADMIN_KEY: key, PER_SECOND: SOAK_PER_SECOND };
  const load = run('test/soak/load.ts', [], variables);
  const scraper = keepScraping(t, service.url);
  const early = await soak('warming up', 0, warmUpSeconds);
  const middle = await soak('under load', warmUpSeconds, seconds / 2);
  progress.begin('PostgreSQL stopped', seconds / 2);
  await cluster.stop('immediate');
  await sleep(outageSeconds * 1_000);
  const { spooled } = scraper.samples.at(-1) ?? { spooled: 0 };
  await cluster.start();
  progress.end(`${spooled} records in the spool`);
  const late = await soak('under load', seconds / 2 + outageSeconds, seconds);

  load.child.kill('SIGTERM');
  await load.exited;
  const { ids, unexpected, rotations, revocations, shed }: LoadReport = JSON.parse(load.stdout());
  // One after the other, so that this process opens only one connection to the service.
  const scrapes = await scraper.stop();
  const { accepted, dropped } = await untilWritten(service.url);

  t.strictSame([...new Set(unexpected)].slice(0, 10), [], `none of ${ids.length} requests had an unexpected result`);
  t.ok(shed <= ids.length / 20, `${shed} requests were rejected by load shedding`);
  t.ok(rotations > seconds / 4 && revocations > seconds / 4, `${rotations} keys rotated, ${revocations} revoked`);
  t.ok(spooled > 0, `${spooled} records were in the spool while the database was down`);
  t.equal(dropped, 0, 'no record was dropped');
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
  const peak = Math.max(...[...early, ...middle, ...late].map(({ rss }) => rss));
  t.comment(`peak resident size ${mb(peak)}; heap from ${mb(atRest.heapUsed)} at rest`);

  progress.begin('returning to idle', quietMs / 1_000);
  const deadline = performance.now() + quietDeadlineMs;
  let atEnd = await service.vitals();
  while (increases(atRest, atEnd).length > 0 && performance.now() < deadline) {
    await sleep(500);
    atEnd = await service.vitals();
  }
  progress.end(summaryOf(atEnd));
  t.strictSame(
    increases(atRest, atEnd),
    [],
    `no handle remains: ${summaryOf(atRest)} before, ${summaryOf(atEnd)} after`,
  );
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0, 'the service stops with exit code 0');

  /** Takes samples at equal intervals while the load runs. */
  async function soak(label: string, from: number, to: number): Promise<Vitals[]> {
    progress.begin(label, seconds - from);
    const vitals: Vitals[] = [];
    const end = performance.now() + (to - from) * 1_000;
    while (performance.now() < end) {
      await sleep(Math.min((seconds / samples) * 1_000, end - performance.now()));
      vitals.push(await service.vitals());
    }
    progress.end(summaryOf(vitals.at(-1) as Vitals));
    return vitals;
  }
});

/** @param accepted the number of records that the request log has accepted */
async function checkRows(t: Test, url: string, ids: string[], accepted: number) {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query('SELECT count(*)::int AS n FROM request_logs WHERE id = ANY ($1)', [ids]);
  t.strictSame([rows[0].n, new Set(ids).size], [ids.length, ids.length], `each of ${ids.length} responses has a row`);
  t.equal(
    await checkStatistics(t, client),
    accepted,
    `the number of rows equals the number of accepted records: ${accepted}`,
  );
  t.equal(accepted, ids.length, 'the number of accepted records equals the number of responses');
  await client.end();
}

function medianHeap(vitals: Vitals[]): number {
  const sorted = vitals.map(({ heapUsed }) => heapUsed).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function summaryOf({ heapUsed, descriptors, resources }: Vitals): string {
  return `heap ${mb(heapUsed)}, ${sumOf(descriptors)} descriptors, ${sumOf(resources)} resources`;
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
