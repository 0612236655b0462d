import { appendFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import t from 'tap';
import { markRolledBack } from '../../../plugins/database/migrations/history.js';
import { openDatabase } from '../../../plugins/database/open.js';
import { nextMigration } from '../../../scripts/prisma/next-migration.js';
import { loadConfig } from '../../../src/config/index.js';
import { createTestDatabase, needsPostgres, skipOnEmbedded } from '../../database.js';
import { startService, untilStatus } from '../../process.js';
import { temporaryDirectory } from '../../temporary-directory.js';
import { openEarlier } from './earlier.js';

const variables = await createTestDatabase();
const { database: options, version } = loadConfig(variables);
const prismaDir = temporaryDirectory();
cpSync(options.prismaDir, prismaDir, { recursive: true });

const database = openDatabase({ ...options, prismaDir });
t.teardown(() => database.close());
await database.start(() => {});
await database.migrate(version);

function writeMigration(name: string, sql: string) {
  mkdirSync(join(prismaDir, 'migrations', name), { recursive: true });
  writeFileSync(join(prismaDir, 'migrations', name, 'migration.sql'), sql);
}

t.test('the migrations create exactly the schema in schema.prisma', { skip: skipOnEmbedded }, async (t) => {
  t.equal(await nextMigration(options.prismaDir), null);
});

t.test('the next migration is the difference between schema and migrations', { skip: skipOnEmbedded }, async (t) => {
  const changed = temporaryDirectory(t);
  cpSync(options.prismaDir, changed, { recursive: true });
  appendFileSync(join(changed, 'schema.prisma'), 'model Note {\n  id String @id\n  @@map("notes")\n}\n');
  t.match(await nextMigration(changed), /^-- CreateTable\nCREATE TABLE "notes" \(\n {4}"id" TEXT NOT NULL,/);
});

t.test('rows from before the daily partitions are in the partition of their day after the migration', async (t) => {
  const own = loadConfig(await createTestDatabase({ migrated: false })).database;
  const { database: old } = await openEarlier(t, own, '20261123110000');
  const ids = ['019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07', '01a2064d-8077-7169-98df-ea3154010510', 'of another make'];
  await old.pool.query(
    `INSERT INTO request_logs (id, method, path, "statusCode", duration, ip, "apiKeyId")
     SELECT id, 'GET', '/old', 200, 1, '127.0.0.1', 'k' FROM unnest($1::text[]) AS id`,
    [ids],
  );
  await old.close();

  const database = openDatabase(own);
  await database.start(() => {});
  t.strictSame((await database.migrate(version)).applied, [
    '20261123110000_request_log_days',
    '20261123130000_request_stats',
    '20261124160000_request_log_days_apart',
    '20261126180000_request_log_route',
    '20261127100000_retired_keys',
    '20261127200000_key_owner',
    '20261127210000_key_usage',
    '20261127220000_key_addresses',
    '20261127230000_key_import',
    '20261127233000_key_events',
    '20261127234000_key_indexes',
    '20261127235000_limits',
    '20261128040000_request_trace',
    '20261128100000_settled_batches',
  ]);
  const { rows } = await database.pool.query(
    `SELECT id, tableoid::regclass::text AS day, path, "apiKeyId", route FROM request_logs ORDER BY id`,
  );
  t.strictSame(rows, [
    { id: ids[0], day: 'request_logs_20260104', path: '/old', apiKeyId: 'k', route: null },
    { id: ids[1], day: 'request_logs_20261123', path: '/old', apiKeyId: 'k', route: null },
    { id: ids[2], day: 'request_logs_default', path: '/old', apiKeyId: 'k', route: null },
  ]);
  await database.close();
});

t.test('a second run applies nothing, and each version has one row in system_health', async (t) => {
  t.strictSame(await database.migrate(version), { applied: [], edited: [], missing: [] });
  await database.migrate('9.9.9');
  await database.migrate('9.9.9');
  const { rows } = await database.pool.query('SELECT version FROM system_health ORDER BY version');
  t.strictSame(
    rows.map((row) => row.version),
    [version, '1.0.0', '9.9.9'],
  );
});

t.test('a migration with functions, semicolons and comments runs completely', async (t) => {
  const name = '20990101000000_function';
  writeMigration(
    name,
    `-- one; two\nCREATE FUNCTION twice(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN n * 2; END; $$;\nCOMMENT ON FUNCTION twice IS 'a;b';`,
  );
  t.strictSame((await database.migrate(version)).applied, [name]);
  t.strictSame((await database.pool.query('SELECT twice(21)')).rows, [{ twice: 42 }]);
});

t.test('an applied migration that has been edited is reported by name', async (t) => {
  appendFileSync(join(prismaDir, 'migrations', '20990101000000_function', 'migration.sql'), '\n-- edited');
  t.strictSame(await database.migrate(version), { applied: [], edited: ['20990101000000_function'], missing: [] });
});

t.test(
  'a failed migration is reported with its name and the database error, is rolled back, and is retried',
  async (t) => {
    const name = '20990102000000_broken';
    writeMigration(name, 'CREATE TABLE half (id int);\nALTER TABLE nowhere ADD COLUMN x int;');
    const failed = {
      name: 'DatabaseStartError',
      message: `migration ${name} of musicez failed: relation "nowhere" does not exist`,
    };
    await t.rejects(database.migrate(version), failed);
    t.strictSame((await database.pool.query(`SELECT to_regclass('half') AS half`)).rows, [{ half: null }]);
    await t.rejects(database.migrate(version), failed);
    writeMigration(name, 'CREATE TABLE half (id int);');
    t.strictSame((await database.migrate(version)).applied, [name]);
  },
);

/** Inserts the row that the Prisma CLI and earlier versions leave for an interrupted migration. */
async function leaveUnfinished(name: string, logs: string | null) {
  await database.pool.query(
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, logs) VALUES ($1, 'x', $2, $3)`,
    [crypto.randomUUID(), name, logs],
  );
}

t.test('an interrupted migration is applied by the next start, whether or not its changes exist', async (t) => {
  const nothing = '20990103000000_nothing_left';
  await leaveUnfinished(nothing, null);
  writeMigration(nothing, 'CREATE TABLE nothing_left (id int);');
  t.strictSame((await database.migrate(version)).applied, [nothing]);

  const all = '20990104000000_all_left';
  await leaveUnfinished(all, null);
  await database.pool.query('CREATE TABLE all_left (id int)');
  await database.pool.query('INSERT INTO all_left VALUES (1)');
  writeMigration(all, 'CREATE TABLE all_left (id int);');
  t.strictSame((await database.migrate(version)).applied, [all]);
  t.strictSame((await database.pool.query('SELECT id FROM all_left')).rows, [{ id: 1 }]);
  t.strictSame((await database.migrate(version)).applied, []);
});

t.test(
  'a migration that another tool marked as failed stops the start, and runs once marked as rolled back',
  async (t) => {
    const name = '20990105000000_marked';
    await leaveUnfinished(name, 'ERROR: it did not work');
    writeMigration(name, 'CREATE TABLE marked (id int);');
    await t.rejects(database.migrate(version), {
      name: 'DatabaseStartError',
      message: new RegExp(
        `^migration ${name} of musicez failed at an earlier start: [^\n]*--rolled-back ${name}[^\n]*$`,
      ),
    });
    await markRolledBack(database.pool, database.schema, name);
    t.strictSame((await database.migrate(version)).applied, [name]);
  },
);

t.test('an applied migration without a file is reported by name', async (t) => {
  rmSync(join(prismaDir, 'migrations', '20990105000000_marked'), { recursive: true });
  t.strictSame((await database.migrate(version)).missing, ['20990105000000_marked']);
});

t.test('only a failed migration can be marked as rolled back', async (t) => {
  await t.rejects(markRolledBack(database.pool, database.schema, 'nothing'), { name: 'DatabaseStartError' });
});

t.test(
  'while pg_dump reads the log a migration waits, old replicas keep inserting, and the start continues afterwards',
  { skip: needsPostgres },
  async (t) => {
    const own = await createTestDatabase({ migrated: false });
    const { database: old } = await openEarlier(t, loadConfig(own).database, '20261126180000');
    t.teardown(() => old.close());
    const dump = new pg.Client(own.DATABASE_URL);
    await dump.connect();
    t.teardown(() => dump.end());
    await dump.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM request_logs');

    const service = await startService(own, { ready: false });
    await service.waitFor(/migrations wait for a lock, trying again/);
    // Insert like replicas of the previous version, while the next attempt of the migration waits.
    for (let i = 0; i < 40; i++) {
      const startedAt = performance.now();
      await old.pool.query(
        `INSERT INTO request_logs (id, method, path, "statusCode", duration, ip) VALUES ($1, 'GET', '/', 200, 1, '::1')`,
        [crypto.randomUUID()],
      );
      t.ok(performance.now() - startedAt < 5_000, 'an insert waits for one attempt at most');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await dump.query('COMMIT');
    await untilStatus(`${service.url}/readyz`, 200);
    t.equal((await old.pool.query('SELECT count(*)::int AS n FROM request_logs WHERE route IS NULL')).rows[0].n, 40);
  },
);
