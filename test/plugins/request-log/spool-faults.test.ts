import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { needsPostgres, ownDatabase } from '../../database.js';
import { startService } from '../../process.js';
import { BreakableDatabase } from '../database/proxy.js';
import { keepScraping, untilWritten } from './scraper.js';
import { mounted, mountMissing, turnReadOnly } from './small-disk.js';
import { steadyLoad } from './steady-load.js';
import { agree } from './sums.js';

const key = generateKey('mez');
const perSecond = 200;
/** A second and a half of the load: a busy machine may well stand still for half a second. */
const bufferRows = 300;

// One after the other: each is about what a process does within a second.
t.setTimeout(240_000);

/** Lets the database go away under load, and the spool fail, until records are dropped; then the database comes back. */
async function endure(t: Test, variables: NodeJS.ProcessEnv, breakSpool: () => void) {
  const { DATABASE_URL = '' } = await ownDatabase();
  const between = new BreakableDatabase(DATABASE_URL);
  await between.mend();
  const service = await startService({
    DATABASE_URL: between.url,
    BOOTSTRAP_ADMIN_KEY: key,
    REQUEST_LOG_BUFFER_ROWS: `${bufferRows}`,
    KEY_CACHE_MAX_STALE_MS: '600000',
    ...variables,
  });
  const load = steadyLoad(t, `${service.url}/v1/me`, { 'x-api-key': key }, perSecond);
  const scraper = keepScraping(t, service.url);
  while (load.answers.length < perSecond) await sleep(20);

  breakSpool();
  await between.break();
  while ((scraper.seen.at(-1)?.dropped ?? 0) < bufferRows) await sleep(20);
  await between.mend();
  await load.stop();
  const { accepted, dropped } = await untilWritten(service.url);
  await scraper.stop();

  const { answers, failures } = load;
  t.strictSame([failures, answers.filter(({ status }) => status !== 200)], [[], []], 'no request failed');
  t.equal(accepted, answers.length, 'every answered request is accounted for');
  const client = new pg.Client(DATABASE_URL);
  await client.connect();
  t.teardown(() => client.end());
  t.equal(await agree(t, client), answers.length - dropped, 'and has its row, or is counted as dropped');
  const stored = new Set((await client.query('SELECT id FROM request_logs')).rows.map(({ id }) => id));
  const told = service.stdout().match(/records are dropped, the buffer is full/g) ?? [];
  t.equal(told.length, 1, 'which is said once a minute');
  // The order of ids is the order of arrival; requests that were in flight together may have been answered in another.
  const ids = answers.map(({ id }) => id).sort();
  const isKept = ids.map((id) => stored.has(id));
  const span = isKept.slice(isKept.indexOf(false), isKept.lastIndexOf(false));
  t.ok(span.filter(Boolean).length < 40, 'the newest were dropped, and none that waited');
}

t.test(
  'a spool that is full costs the newest records, which are counted, and no request',
  { skip: needsPostgres, buffered: true },
  async (t) => {
    const { DATA_DIR } = await ownDatabase();
    await endure(t, { DATA_DIR, REQUEST_LOG_SPOOL_MAX_BYTES: '20000' }, () => {});
  },
);

t.test(
  'so does one on a disk that has turned read-only',
  { skip: needsPostgres || mountMissing(t), buffered: true },
  async (t) => {
    const DATA_DIR = mounted(t, 'size=1m');
    await endure(t, { DATA_DIR }, () => turnReadOnly(DATA_DIR));
  },
);

t.test(
  'and one whose directory has vanished and cannot be made again',
  { skip: needsPostgres, buffered: true },
  async (t) => {
    const { DATA_DIR } = await ownDatabase();
    const spool = join(DATA_DIR, 'spool');
    await endure(t, { DATA_DIR }, () => {
      rmSync(spool, { recursive: true, force: true });
      writeFileSync(spool, '');
    });
  },
);
