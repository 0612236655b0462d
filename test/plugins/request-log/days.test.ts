import type pg from 'pg';
import t from 'tap';
import { BatchStore } from '../../../plugins/request-log/batch-store.js';
import { DayKeeper } from '../../../plugins/request-log/day-keeper.js';
import { firstIdAt } from '../../../plugins/request-log/record.js';
import { keyHeaders, startApp } from '../../app.js';
import { ownDatabase } from '../../database.js';
import { record } from './records.js';

const app = await startApp({ ...(await ownDatabase()), REQUEST_LOG_RETENTION_DAYS: '0' });
const { pool } = app.database;
const dayMs = 86_400_000;
const today = Date.UTC(2031, 4, 5);

const isoDay = (time: number) => new Date(time).toISOString().slice(0, 10);
const tableOf = (time: number) => `request_logs_${isoDay(time).replaceAll('-', '')}`;

/** Does the keeper's work as it would be done on a day. */
function keep(retentionDays: number, day: number) {
  return new DayKeeper(app.database, { retentionDays, statsRetentionDays: 0 }, app.log).keep(isoDay(day));
}

async function insert(time: number) {
  const id = firstIdAt(new Date(time)).replace(/0{12}$/, Math.random().toString(16).slice(2, 14).padEnd(12, '0'));
  await pool.query(
    `INSERT INTO request_logs (id, method, path, "statusCode", duration, ip) VALUES ($1, 'GET', '/day', 200, 1, '')`,
    [id],
  );
  return id;
}

/** In which table a row is. */
async function whereIs(id: string): Promise<string | undefined> {
  const { rows } = await pool.query('SELECT tableoid::regclass::text AS name FROM request_logs WHERE id = $1', [id]);
  return rows[0]?.name;
}

t.test('from the start there are tables for yesterday to a week ahead, by the clock of the database', async (t) => {
  const has = async (time: number) =>
    (await pool.query('SELECT to_regclass($1) IS NOT NULL AS has', [tableOf(time)])).rows[0].has;
  // The service makes them beside its start.
  while (!(await has(Date.now() + 7 * dayMs))) await new Promise((resolve) => setTimeout(resolve, 10));
  for (let day = -1; day <= 7; day++) t.ok(await has(Date.now() + day * dayMs), `${day}`);
  t.equal(await whereIs(await insert(Date.now())), tableOf(Date.now()));
});

t.test('a row whose day has no table is kept, and moves there when it is made', async (t) => {
  const early = await insert(today - 3 * dayMs);
  const late = await insert(today + 7 * dayMs + dayMs - 1);
  const future = await insert(today + 8 * dayMs);
  t.strictSame(await Promise.all([early, late, future].map(whereIs)), Array(3).fill('request_logs_default'));
  const kept = await keep(0, today);
  t.strictSame(
    kept.added,
    [-3, -1, 0, 1, 2, 3, 4, 5, 6, 7].map((day) => isoDay(today + day * dayMs)),
  );
  t.equal(await whereIs(early), tableOf(today - 3 * dayMs));
  t.equal(await whereIs(late), tableOf(today + 7 * dayMs));
  t.equal(await whereIs(future), 'request_logs_default', 'a clock that is wrong makes no tables');
  t.strictSame((await keep(0, today)).added, [], 'a second time there is nothing to do');
});

t.test('after a week asleep the missing days are made up for', async (t) => {
  const missed = await insert(today + 10 * dayMs);
  const kept = await keep(0, today + 14 * dayMs);
  t.equal(kept.added.length, 11, 'the day of the two stray rows, and yesterday to a week ahead');
  t.equal(await whereIs(missed), tableOf(today + 10 * dayMs));
});

t.test('days over their time are dropped, with what strays are as old, and no others', async (t) => {
  const yesterdayLastYear = await insert(today - 365 * dayMs);
  const before = await app.prisma.requestLog.count();
  const { dropped } = await keep(16, today + 14 * dayMs);
  t.ok(dropped.includes(isoDay(today - 3 * dayMs)), 'its last row is 17 days old');
  t.notOk(dropped.includes(isoDay(today - 2 * dayMs)));
  t.equal(await whereIs(yesterdayLastYear), undefined);
  t.ok((await app.prisma.requestLog.count()) < before);
  t.ok(await pool.query(`SELECT FROM ${tableOf(today)}`));
});

t.test(
  'while another replica is at it nothing is done',
  { skip: app.database.embedded && 'has one session' },
  async (t) =>
    holding('SELECT pg_advisory_xact_lock(7164274)', async () => {
      t.strictSame(await keep(1, today + 100 * dayMs), { added: [], dropped: [], failures: 0 });
    }),
);

t.test('a day that cannot be dropped keeps no other from being dropped or made', async (t) => {
  const first = today + 20 * dayMs;
  const stuck = Array.from({ length: 10 }, (_, n) => first + 2 * n * dayMs);
  const others = stuck.map((day) => day + dayMs);
  const after = first + 21 * dayMs;
  for (const day of [...stuck, ...others]) await keep(0, day);
  await keep(1, first);
  for (const day of stuck) await pool.query(`CREATE VIEW of_${tableOf(day)} AS SELECT * FROM ${tableOf(day)}`);
  // So that there are connections at hand other than the one whose statement fails.
  await Promise.all(stuck.map(() => pool.query('SELECT pg_sleep(0.01)')));
  const kept = await keep(1, after);
  t.equal(kept.failures, stuck.length);
  t.ok(kept.added.includes(isoDay(after + 7 * dayMs)));
  t.strictSame(
    kept.dropped.filter((day) => day >= isoDay(first)),
    others.map(isoDay),
  );
  for (const day of stuck) await pool.query(`DROP VIEW of_${tableOf(day)}`);
  t.strictSame((await keep(1, after)).dropped, stuck.map(isoDay));
});

t.test('of strays only those go that are over their time, whatever their ids', async (t) => {
  const other = (id: string, age: number) =>
    pool.query(
      `INSERT INTO request_logs (id, method, path, "statusCode", duration, ip, "createdAt")
       VALUES ($1, 'GET', '/stray', 200, 1, '', now() AT TIME ZONE 'UTC' - $2 * interval '1 day')`,
      [id, age],
    );
  await other('00000000-0000-4000-8000-000000000000', 0);
  await other('of another make', 0);
  await other('of another make, and old', 40);
  await new DayKeeper(app.database, { retentionDays: 30, statsRetentionDays: 0 }, app.log).keep();
  const { rows } = await pool.query(`SELECT id FROM request_logs WHERE path = '/stray' ORDER BY id`);
  t.strictSame(
    rows.map(({ id }) => id),
    ['00000000-0000-4000-8000-000000000000', 'of another make'],
  );
});

// Each of these holds a lock in a second session, which the embedded database has not.
const oneSession = { skip: app.database.embedded && 'has one session' };

t.test('a list of a day waits for nobody who is at another day', oneSession, async (t) => {
  const [asked, other] = [today + 30 * dayMs, today + 31 * dayMs];
  await keep(0, asked);
  const id = await insert(asked);
  const headers = await keyHeaders(app, 'admin');
  await holding(`LOCK TABLE ${tableOf(other)} IN ACCESS EXCLUSIVE MODE`, async () => {
    const url = `/v1/request-logs?from=${isoDay(asked)}T00:00:00Z&to=${isoDay(other)}T00:00:00Z`;
    const { statusCode, body } = await app.inject({ url, headers });
    t.match({ statusCode, body }, { statusCode: 200, body: id });
  });
});

t.test('one who reads the log cannot be locked in by the making and dropping of days', oneSession, async (t) => {
  const day = today + 60 * dayMs;
  await keep(0, day);
  await insert(day + 8 * dayMs);
  // Has the log open, and is about to look for strays.
  await holding('LOCK TABLE ONLY request_logs IN ACCESS SHARE MODE', async (reader) => {
    const keeping = keep(1, day + 10 * dayMs);
    const { rows } = await reader.query('SELECT count(*) FROM request_logs');
    t.equal(rows.length, 1);
    t.match(await keeping, { dropped: [], failures: 1 }, 'nothing is dropped under a reader');
  });
  t.ok((await keep(1, day + 10 * dayMs)).dropped.includes(isoDay(day)));
});

t.test(
  'a row that comes while its day gets a table is stored there, from memory or the spool',
  oneSession,
  async (t) => {
    for (const maybeStored of [false, true]) {
      const day = today + (maybeStored ? 101 : 100) * dayMs;
      const one = record({ id: firstIdAt(new Date(day + 1)) });
      let storing: Promise<unknown> | undefined;
      await holding(`SELECT request_logs_add_day('${isoDay(day)}')`, async (client) => {
        storing = new BatchStore(app.database, app.log).store([one], maybeStored);
        const waiting =
          'SELECT FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())';
        while ((await client.query(waiting)).rowCount === 0);
      });
      t.strictSame(await storing, []);
      t.equal(await whereIs(one.id), tableOf(day));
    }
  },
);

async function holding(statement: string, work: (client: pg.PoolClient) => Promise<void>) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(statement);
    await work(client);
  } finally {
    await client.query('COMMIT');
    client.release();
  }
}

t.test('statistics by minute go with the rows, those by hour when their own time is over', async (t) => {
  const add = (period: number, days: number) =>
    pool.query(
      `INSERT INTO request_stats (period, start, route, method, "statusCode", shard, count, histogram)
       VALUES ($1, now() AT TIME ZONE 'UTC' - $2 * interval '1 day', '/old', 'GET', 200, 0, 1, '{128}')`,
      [period, days],
    );
  for (const [period, days] of [
    [60, 20],
    [60, 40],
    [3600, 40],
    [3600, 500],
  ] as const)
    await add(period, days);
  await new DayKeeper(app.database, { retentionDays: 30, statsRetentionDays: 400 }, app.log).keep();
  const left = `SELECT period, (now() AT TIME ZONE 'UTC')::date - start::date AS days FROM request_stats
    WHERE route = '/old' ORDER BY 1, 2`;
  t.strictSame((await pool.query(left)).rows, [
    { period: 60, days: 20 },
    { period: 3600, days: 40 },
  ]);
});
