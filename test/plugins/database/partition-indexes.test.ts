import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { buildPartitionIndexes } from '../../../plugins/database/migrations/partition-indexes.js';
import { type Database, openDatabase } from '../../../plugins/database/open.js';
import { type Config, loadConfig } from '../../../src/config/index.js';
import { startApp } from '../../app.js';
import { createTestDatabase, needsPostgres, skipOnEmbedded } from '../../database.js';
import { openEarlier } from './earlier.js';

const { version } = loadConfig(await createTestDatabase());
const ids = ['01a2064d-8077-7169-98df-ea3154010510', '01a20bc0-0000-7000-8000-000000000001', 'of another format'];
const indexName = 'request_logs_route_idx';

/** Opens a database that has rows, and only the migrations whose names are before `name`. */
async function openWithRows(t: Test, options: Config['database'], name: string) {
  const { database, prismaDir } = await openEarlier(t, options, name);
  await database.pool.query(`SELECT ${database.quotedSchema}.request_logs_add_days(0, '2026-11-24')`);
  for (const id of ids) await insertRow(database, id);
  return { database, prismaDir };
}

/** Inserts a row like the versions before the route migration. */
async function insertRow({ pool, quotedSchema }: Database, id: string = crypto.randomUUID()) {
  await pool.query(
    `INSERT INTO ${quotedSchema}.request_logs (id, method, path, "statusCode", duration, ip, "createdAt")
     VALUES ($1, 'GET', '/', 200, 1, '::1', now() AT TIME ZONE 'UTC')`,
    [id],
  );
}

/** Returns the number of partitions, of those with the index, and whether PostgreSQL considers the index valid. */
async function stateOf({ pool, quotedSchema }: Pick<Database, 'pool' | 'quotedSchema'>, index = indexName) {
  const { rows } = await pool.query(
    `SELECT indisvalid AS "isValid",
       (SELECT count(*)::int FROM pg_inherits WHERE inhparent = indrelid) AS partitions,
       (SELECT count(*)::int FROM pg_inherits JOIN pg_index AS child ON child.indexrelid = inhrelid
        WHERE inhparent = pg_index.indexrelid AND child.indisvalid) AS indexes
     FROM pg_index WHERE indexrelid = to_regclass($1)`,
    [`${quotedSchema}.${index}`],
  );
  return rows[0] as { isValid: boolean; partitions: number; indexes: number };
}

t.test(
  'an index build allows inserts of old and new replicas, and is repeated after it was killed',
  { skip: needsPostgres },
  async (t) => {
    const own = loadConfig(await createTestDatabase({ migrated: false })).database;
    const options = { ...own, url: `${own.url}?schema=other` };
    const { database: old } = await openWithRows(t, options, '20261126180000');
    const database = openDatabase(options);
    await database.start(() => {});
    t.ok((await database.migrate(version)).applied.includes('20261126180000_request_log_route'));
    const { isValid, partitions, indexes } = await stateOf(database);
    t.strictSame(
      { isValid, indexes },
      { isValid: false, indexes: 0 },
      'the migration itself builds no index in a partition',
    );
    t.ok(partitions > 3);

    // Like pg_dump, which can run for hours: the build of the first index waits for its snapshot.
    const dump = new pg.Client(own.url);
    await dump.connect();
    await dump.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pg_class');
    const build = buildPartitionIndexes(database);
    const killed = t.rejects(build, 'the build that is killed fails');
    const waiting = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
      AND query LIKE 'CREATE%CONCURRENTLY%'`;
    let pid: number | undefined;
    while (pid === undefined) {
      await sleep(10);
      pid = (await old.pool.query(waiting)).rows[0]?.pid;
    }
    await insertRow(old, '01a20bc0-0000-7000-8000-000000000002');
    await database.pool.query(
      `INSERT INTO other.request_logs (id, method, path, "statusCode", duration, ip, route)
       VALUES ('01a20bc0-0000-7000-8000-000000000003', 'GET', '/', 200, 1, '::1', '/')`,
    );
    t.equal(await buildPartitionIndexes(database), false, 'another replica does not build indexes at the same time');
    await old.pool.query('SELECT pg_terminate_backend($1)', [pid]);
    await killed;
    await dump.query('ROLLBACK');
    await dump.end();

    const built: string[] = [];
    while (!(await buildPartitionIndexes(database, ({ index }) => built.push(index)))) await sleep(10);
    t.strictSame(await stateOf(database), { isValid: true, partitions, indexes: partitions });
    t.ok(built.includes('request_logs_default_route_idx'), `${built}`);
    await insertRow(old);
    t.strictSame(
      (await database.pool.query('SELECT count(*)::int FROM request_logs')).rows,
      [{ count: ids.length + 3 }],
      'no row is lost',
    );
    await old.close();
    await database.close();
  },
);

t.test(
  'several replicas can build indexes at the same time, and each partition has the index once',
  { skip: needsPostgres },
  async (t) => {
    const own = loadConfig(await createTestDatabase({ migrated: false })).database;
    const { database: old } = await openWithRows(t, own, '20261126180000');
    const replicas = Array.from({ length: 3 }, () => openDatabase(own));
    for (const replica of replicas) await replica.migrate(version);
    await Promise.all(
      replicas.map(async (replica) => {
        while (!(await buildPartitionIndexes(replica)));
      }),
    );
    const { isValid, partitions, indexes } = await stateOf(old);
    t.strictSame({ isValid, indexes }, { isValid: true, indexes: partitions });
    await Promise.all([old, ...replicas].map((database) => database.close()));
  },
);

t.test('the start builds the index that a later migration adds, in every partition', async (t) => {
  const variables = await createTestDatabase({ migrated: false });
  const options = loadConfig(variables).database;
  const { database, prismaDir } = await openWithRows(t, options, '20990101');
  mkdirSync(join(prismaDir, 'migrations', '20990101000000_ip'));
  writeFileSync(
    join(prismaDir, 'migrations', '20990101000000_ip', 'migration.sql'),
    '-- CreateIndex\nCREATE INDEX "request_logs_ip_idx" ON "request_logs"("ip" DESC, "id");\n',
  );
  await database.migrate(version);
  t.equal((await stateOf(database, 'request_logs_ip_idx')).isValid, false);
  await database.close();

  const app = await startApp(variables);
  const state = () => stateOf(app.database, 'request_logs_ip_idx');
  while (!(await state()).isValid) await sleep(10);
  const { partitions, indexes } = await state();
  t.equal(indexes, partitions);
});

t.test('the migration creates the index of a log without rows', { skip: skipOnEmbedded }, async (t) => {
  const options = loadConfig(await createTestDatabase({ migrated: false })).database;
  const database = openDatabase(options);
  await database.start(() => {});
  await database.migrate(version);
  const { isValid, partitions, indexes } = await stateOf(database);
  t.strictSame({ isValid, indexes }, { isValid: true, indexes: partitions });
  await database.close();
});
