import type pg from 'pg';
import t from 'tap';
import { BatchStore } from '../../../plugins/request-log/stores/postgres/batch-store.js';
import { PartitionMaintenance } from '../../../plugins/request-log/stores/postgres/partition-maintenance.js';
import { firstIdAt } from '../../../plugins/time-ordered-id.js';
import { keyHeaders, startApp } from '../../app.js';
import { createTestDatabase } from '../../database.js';
import { record } from './records.js';

const app = await startApp({ ...(await createTestDatabase()), REQUEST_LOG_RETENTION_DAYS: '0' });
const { pool } = app.database;
const dayMs = 86_400_000;
const today = Date.UTC(2031, 4, 5);

const isoDay = (time: number) => new Date(time).toISOString().slice(0, 10);
const tableOf = (time: number) => `request_logs_${isoDay(time).replaceAll('-', '')}`;

/** Runs the partition maintenance as on this day. */
function runMaintenance(retentionDays: number, day: number) {
  return new PartitionMaintenance(
    app.database,
    { retentionDays, statsRetentionDays: 0, eventsRetentionDays: 0 },
    app.log,
  ).run(isoDay(day));
}

async function insert(time: number) {
  const id = firstIdAt(new Date(time)).replace(/0{12}$/, Math.random().toString(16).slice(2, 14).padEnd(12, '0'));
  await pool.query(
    `INSERT INTO request_logs (id, method, path, "statusCode", duration, ip) VALUES ($1, 'GET', '/day', 200, 1, '')`,
    [id],
  );
  return id;
}

/** Returns the name of the table that contains the row. */
async function tableOfRow(id: string): Promise<string | undefined> {
  const { rows } = await pool.query('SELECT tableoid::regclass::text AS name FROM request_logs WHERE id = $1', [id]);
  return rows[0]?.name;
}

t.test('the start creates partitions from yesterday to a week ahead', async (t) => {
  const has = async (time: number) =>
    (await pool.query('SELECT to_regclass($1) IS NOT NULL AS has', [tableOf(time)])).rows[0].has;
  // The service creates them after its start.
  while (!(await has(Date.now() + 7 * dayMs))) await new Promise((resolve) => setTimeout(resolve, 10));
  for (let day = -1; day <= 7; day++) t.ok(await has(Date.now() + day * dayMs), `${day}`);
  t.equal(await tableOfRow(await insert(Date.now())), tableOf(Date.now()));
});

t.test('a row whose day has no partition is stored, and moves to the partition when it is created', async (t) => {
  const early = await insert(today - 3 * dayMs);
  const late = await insert(today + 7 * dayMs + dayMs - 1);
  const future = await insert(today + 8 * dayMs);
  t.strictSame(await Promise.all([early, late, future].map(tableOfRow)), Array(3).fill('request_logs_default'));
  const result = await runMaintenance(0, today);
  t.strictSame(
    result.added,
    [-3, -1, 0, 1, 2, 3, 4, 5, 6, 7].map((day) => isoDay(today + day * dayMs)),
  );
  t.equal(await tableOfRow(early), tableOf(today - 3 * dayMs));
  t.equal(await tableOfRow(late), tableOf(today + 7 * dayMs));
  t.equal(await tableOfRow(future), 'request_logs_default', 'a row too far in the future creates no partition');
  t.strictSame((await runMaintenance(0, today)).added, [], 'a second run creates nothing');
});

t.test('after a week without maintenance the missing partitions are created', async (t) => {
  const missed = await insert(today + 10 * dayMs);
  const result = await runMaintenance(0, today + 14 * dayMs);
  t.equal(result.added.length, 11, 'the days of the two rows in the default partition, and yesterday to a week ahead');
  t.equal(await tableOfRow(missed), tableOf(today + 10 * dayMs));
});

t.test('expired partitions and expired rows of the default partition are dropped, and no others', async (t) => {
  const yesterdayLastYear = await insert(today - 365 * dayMs);
  const before = await app.prisma.requestLog.count();
  const { dropped } = await runMaintenance(16, today + 14 * dayMs);
  t.ok(dropped.includes(isoDay(today - 3 * dayMs)), 'its last row is 17 days old');
  t.notOk(dropped.includes(isoDay(today - 2 * dayMs)));
  t.equal(await tableOfRow(yesterdayLastYear), undefined);
  t.ok((await app.prisma.requestLog.count()) < before);
  t.ok(await pool.query(`SELECT FROM ${tableOf(today)}`));
});

t.test(
  'maintenance does nothing while another replica runs it',
  { skip: app.database.isEmbedded && 'the embedded database has one session' },
  async (t) =>
    withLock('SELECT pg_advisory_xact_lock(7164274)', async () => {
      t.strictSame(await runMaintenance(1, today + 100 * dayMs), { added: [], dropped: [], failures: 0 });
    }),
);

t.test('a partition that cannot be dropped does not prevent others from being dropped or created', async (t) => {
  const first = today + 20 * dayMs;
  const stuck = Array.from({ length: 10 }, (_, n) => first + 2 * n * dayMs);
  const others = stuck.map((day) => day + dayMs);
  const after = first + 21 * dayMs;
  for (const day of [...stuck, ...others]) await runMaintenance(0, day);
  await runMaintenance(1, first);
  for (const day of stuck) await pool.query(`CREATE VIEW of_${tableOf(day)} AS SELECT * FROM ${tableOf(day)}`);
  // Opens more connections than the one whose statement fails.
  await Promise.all(stuck.map(() => pool.query('SELECT pg_sleep(0.01)')));
  const result = await runMaintenance(1, after);
  t.equal(result.failures, stuck.length);
  t.ok(result.added.includes(isoDay(after + 7 * dayMs)));
  t.strictSame(
    result.dropped.filter((day) => day >= isoDay(first)),
    others.map(isoDay),
  );
  for (const day of stuck) await pool.query(`DROP VIEW of_${tableOf(day)}`);
  t.strictSame((await runMaintenance(1, after)).dropped, stuck.map(isoDay));
});

t.test('only expired rows of the default partition are deleted, whatever their ids', async (t) => {
  const other = (id: string, age: number) =>
    pool.query(
      `INSERT INTO request_logs (id, method, path, "statusCode", duration, ip, "createdAt")
       VALUES ($1, 'GET', '/stray', 200, 1, '', now() AT TIME ZONE 'UTC' - $2 * interval '1 day')`,
      [id, age],
    );
  await other('00000000-0000-4000-8000-000000000000', 0);
  await other('of another make', 0);
  await other('of another make, and old', 40);
  await new PartitionMaintenance(
    app.database,
    { retentionDays: 30, statsRetentionDays: 0, eventsRetentionDays: 0 },
    app.log,
  ).run();
  const { rows } = await pool.query(`SELECT id FROM request_logs WHERE path = '/stray' ORDER BY id`);
  t.strictSame(
    rows.map(({ id }) => id),
    ['00000000-0000-4000-8000-000000000000', 'of another make'],
  );
});

// These tests hold a lock in a second session, which the embedded database does not have.
const oneSession = { skip: app.database.isEmbedded && 'the embedded database has one session' };

t.test('a list of one day does not wait for a lock on another day', oneSession, async (t) => {
  const [listedDay, other] = [today + 30 * dayMs, today + 31 * dayMs];
  await runMaintenance(0, listedDay);
  const id = await insert(listedDay);
  const headers = await keyHeaders(app, 'admin');
  await withLock(`LOCK TABLE ${tableOf(other)} IN ACCESS EXCLUSIVE MODE`, async () => {
    const url = `/v1/request-logs?from=${isoDay(listedDay)}T00:00:00Z&to=${isoDay(other)}T00:00:00Z`;
    const { statusCode, body } = await app.inject({ url, headers });
    t.match({ statusCode, body }, { statusCode: 200, body: id });
  });
});

t.test('a reader of the log cannot deadlock with the creation and removal of partitions', oneSession, async (t) => {
  const day = today + 60 * dayMs;
  await runMaintenance(0, day);
  await insert(day + 8 * dayMs);
  // The reader has locked the log, and will read the default partition.
  await withLock('LOCK TABLE ONLY request_logs IN ACCESS SHARE MODE', async (reader) => {
    const maintenance = runMaintenance(1, day + 10 * dayMs);
    const { rows } = await reader.query('SELECT count(*) FROM request_logs');
    t.equal(rows.length, 1);
    t.match(await maintenance, { dropped: [], failures: 1 }, 'nothing is dropped while the log is read');
  });
  t.ok((await runMaintenance(1, day + 10 * dayMs)).dropped.includes(isoDay(day)));
});

t.test(
  'a row that arrives while its partition is created is stored in it, from memory or from the spool',
  oneSession,
  async (t) => {
    for (const isSealed of [false, true]) {
      const day = today + (isSealed ? 101 : 100) * dayMs;
      const one = record({ id: firstIdAt(new Date(day + 1)) });
      let storing: Promise<unknown> | undefined;
      await withLock(`SELECT request_logs_add_day('${isoDay(day)}')`, async (client) => {
        storing = new BatchStore(app.database, app.log, app.limits.quotas).write({
          id: isSealed ? one.id : null,
          records: [one],
        });
        const waiting =
          'SELECT FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())';
        while ((await client.query(waiting)).rowCount === 0);
      });
      t.strictSame(await storing, []);
      t.equal(await tableOfRow(one.id), tableOf(day));
    }
  },
);

async function withLock(statement: string, work: (client: pg.PoolClient) => Promise<void>) {
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

t.test('statistics by minute expire with the rows, and those by hour after their own retention', async (t) => {
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
  await new PartitionMaintenance(
    app.database,
    { retentionDays: 30, statsRetentionDays: 400, eventsRetentionDays: 0 },
    app.log,
  ).run();
  const left = `SELECT period, (now() AT TIME ZONE 'UTC')::date - start::date AS days FROM request_stats
    WHERE route = '/old' ORDER BY 1, 2`;
  t.strictSame((await pool.query(left)).rows, [
    { period: 60, days: 20 },
    { period: 3600, days: 40 },
  ]);
});
