import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { requirePostgres } from '../../database.js';
import { startService } from '../../process.js';
import { type LogDatabase, logDatabases } from './log-databases.js';
import { keepScraping, untilWritten } from './scraper.js';
import { mountDisk, mountSkipReason, remountReadOnly } from './small-disk.js';
import { steadyLoad } from './steady-load.js';

requirePostgres();

const key = generateKey('mez');
const perSecond = 200;
/** 1.5 s of the load: a busy machine can stall for half a second. */
const bufferRows = 300;

// The tests do not run in parallel, because each depends on what a process does within a second.
t.setTimeout(240_000);

/** Breaks the spool and stops the database until records are dropped under load; then restarts the database. */
async function runWithBrokenSpool(
  t: Test,
  { variables: databases, proxy, check }: LogDatabase,
  variables: NodeJS.ProcessEnv,
  breakSpool: () => unknown,
) {
  const service = await startService({
    ...databases,
    BOOTSTRAP_ADMIN_KEY: key,
    REQUEST_LOG_BUFFER_ROWS: `${bufferRows}`,
    KEY_CACHE_MAX_STALE_MS: '600000',
    ...variables,
  });
  const startLoad = () => steadyLoad(t, `${service.url}/v1/me`, { 'x-api-key': key }, perSecond);
  const before = startLoad();
  const scraper = keepScraping(t, service.url);
  while (before.responses.length < perSecond) await sleep(20);
  await before.stop();
  // Otherwise the database can have records whose file is lost, so that they count as dropped.
  await untilWritten(service.url);

  await breakSpool();
  await proxy.break();
  const load = startLoad();
  while ((scraper.samples.at(-1)?.dropped ?? 0) < bufferRows) await sleep(20);
  await proxy.listen();
  await load.stop();
  const { accepted, dropped } = await untilWritten(service.url);
  await scraper.stop();

  const responses = [...before.responses, ...load.responses];
  const failures = [...before.failures, ...load.failures];
  t.strictSame([failures, responses.filter(({ status }) => status !== 200)], [[], []], 'no request failed');
  t.equal(accepted, responses.length, 'every request with a response is counted as accepted');
  t.equal(
    await check.checkStatistics(t),
    responses.length - dropped,
    'every request has a row or is counted as dropped',
  );
  const logged = service.stdout().match(/records are dropped, the buffer is full/g) ?? [];
  t.equal(logged.length, 1, 'the drops are logged once');
  // Ids are in the order of arrival. Concurrent requests can complete in another order.
  const ids = responses.map(({ id }) => id).sort();
  const stored = await check.storedIds(ids);
  const isKept = ids.map((id) => stored.has(id));
  const span = isKept.slice(isKept.indexOf(false), isKept.lastIndexOf(false));
  t.ok(span.filter(Boolean).length < 40, 'the newest records were dropped, and no buffered ones');
}

for (const { name, skip, open } of logDatabases) {
  t.test(
    `a full spool drops and counts the newest records, and no request fails, while ${name} is down`,
    { skip, buffered: true },
    async (t) => {
      await runWithBrokenSpool(t, await open(t), { REQUEST_LOG_SPOOL_MAX_BYTES: '20000' }, () => {});
    },
  );

  t.test(
    `a spool on a disk that becomes read-only drops and counts the newest records, and no request fails, while ${name} is down`,
    { skip: skip || mountSkipReason(t), buffered: true },
    async (t) => {
      const DATA_DIR = mountDisk(t, 'size=1m');
      await runWithBrokenSpool(t, await open(t), { DATA_DIR }, () => remountReadOnly(DATA_DIR));
    },
  );

  t.test(
    `a spool whose directory is lost and cannot be recreated drops and counts the newest records, and no request fails, while ${name} is down`,
    { skip, buffered: true },
    async (t) => {
      const database = await open(t);
      const spool = join(database.variables.DATA_DIR ?? '', 'spool');
      await runWithBrokenSpool(t, database, {}, () => {
        rmSync(spool, { recursive: true, force: true });
        writeFileSync(spool, '');
      });
    },
  );
}
