import t from 'tap';
import { DayKeeper } from '../../../plugins/request-log/day-keeper.js';
import { firstIdAt } from '../../../plugins/request-log/record.js';
import { startApp } from '../../app.js';
import { ownDatabase } from '../../database.js';

const app = await startApp({ ...(await ownDatabase()), REQUEST_LOG_RETENTION_DAYS: '0' });
const { pool } = app.database;
const dayMs = 86_400_000;
const today = Date.UTC(2031, 4, 5);

const isoDay = (time: number) => new Date(time).toISOString().slice(0, 10);
const tableOf = (time: number) => `request_logs_${isoDay(time).replaceAll('-', '')}`;

/** Does the keeper's work as it would be done on a day. */
async function keep(retentionDays: number, day: number) {
  const { rows } = await pool.query('SELECT added::text[], dropped::text[] FROM request_logs_keep($1, $2)', [
    retentionDays,
    isoDay(day),
  ]);
  return rows[0] as { added: string[]; dropped: string[] } | undefined;
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
    kept?.added,
    [-3, -1, 0, 1, 2, 3, 4, 5, 6, 7].map((day) => isoDay(today + day * dayMs)),
  );
  t.equal(await whereIs(early), tableOf(today - 3 * dayMs));
  t.equal(await whereIs(late), tableOf(today + 7 * dayMs));
  t.equal(await whereIs(future), 'request_logs_default', 'a clock that is wrong makes no tables');
  t.strictSame((await keep(0, today))?.added, [], 'a second time there is nothing to do');
});

t.test('after a week asleep the missing days are made up for', async (t) => {
  const missed = await insert(today + 10 * dayMs);
  const kept = await keep(0, today + 14 * dayMs);
  t.equal(kept?.added.length, 11, 'the day of the two stray rows, and yesterday to a week ahead');
  t.equal(await whereIs(missed), tableOf(today + 10 * dayMs));
});

t.test('days over their time are dropped, with what strays are as old, and no others', async (t) => {
  const yesterdayLastYear = await insert(today - 365 * dayMs);
  const before = await app.prisma.requestLog.count();
  const { dropped } = (await keep(16, today + 14 * dayMs)) ?? {};
  t.ok(dropped?.includes(isoDay(today - 3 * dayMs)), 'its last row is 17 days old');
  t.notOk(dropped?.includes(isoDay(today - 2 * dayMs)));
  t.equal(await whereIs(yesterdayLastYear), undefined);
  t.ok((await app.prisma.requestLog.count()) < before);
  t.ok(await pool.query(`SELECT FROM ${tableOf(today)}`));
});

t.test(
  'while another replica is at it nothing is done',
  { skip: app.database.embedded && 'has one session' },
  async (t) => {
    const other = await pool.connect();
    await other.query('BEGIN');
    await other.query('SELECT pg_advisory_xact_lock(7164274)');
    t.equal(await keep(1, today + 100 * dayMs), undefined);
    await other.query('ROLLBACK');
    other.release();
  },
);

t.test('a question about a time reads the days in question only', async (t) => {
  const { rows } = await pool.query(
    `EXPLAIN SELECT * FROM request_logs WHERE id >= '${firstIdAt(new Date(today + 14 * dayMs))}'
     AND id < '${firstIdAt(new Date(today + 15 * dayMs))}' ORDER BY id DESC LIMIT 50`,
  );
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  t.match(plan, tableOf(today + 14 * dayMs));
  t.notMatch(plan, tableOf(today + 13 * dayMs));
});

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
  const keeper = new DayKeeper(app.database, { retentionDays: 30, statsRetentionDays: 400 }, app.log);
  keeper.start();
  const left = `SELECT period, (now() AT TIME ZONE 'UTC')::date - start::date AS days FROM request_stats
    WHERE route = '/old' ORDER BY 1, 2`;
  for (;;) {
    const { rows } = await pool.query(left);
    if (rows.length > 2) continue;
    t.strictSame(rows, [
      { period: 60, days: 20 },
      { period: 3600, days: 40 },
    ]);
    break;
  }
  await keeper.stop();
});
