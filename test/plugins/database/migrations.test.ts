import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import t from 'tap';
import { markRolledBack } from '../../../plugins/database/migrations/index.js';
import { openDatabase } from '../../../plugins/database/open.js';
import { nextMigration } from '../../../prisma/next-migration.js';
import { loadConfig } from '../../../src/config/index.js';
import { ownDatabase, sameEverywhere } from '../../database.js';

const variables = await ownDatabase();
const { database: options, version } = loadConfig(variables);
const prismaDir = mkdtempSync(join(tmpdir(), 'musicez-prisma-'));
t.teardown(() => rmSync(prismaDir, { recursive: true }));
cpSync(options.prismaDir, prismaDir, { recursive: true });

const database = openDatabase({ ...options, prismaDir });
t.teardown(() => database.close());
await database.start(() => {});
await database.migrate(version);

function writeMigration(name: string, sql: string) {
  mkdirSync(join(prismaDir, 'migrations', name), { recursive: true });
  writeFileSync(join(prismaDir, 'migrations', name, 'migration.sql'), sql);
}

t.test('the migrations make exactly what schema.prisma says', { skip: sameEverywhere }, async (t) => {
  t.equal(await nextMigration(options.prismaDir), null);
});

t.test('the next migration is the difference between schema and migrations', { skip: sameEverywhere }, async (t) => {
  const changed = mkdtempSync(join(tmpdir(), 'musicez-prisma-'));
  t.teardown(() => rmSync(changed, { recursive: true }));
  cpSync(options.prismaDir, changed, { recursive: true });
  appendFileSync(join(changed, 'schema.prisma'), 'model Note {\n  id String @id\n  @@map("notes")\n}\n');
  t.match(await nextMigration(changed), /^-- CreateTable\nCREATE TABLE "notes" \(\n {4}"id" TEXT NOT NULL,/);
});

t.test('rows that were there before the log had days are in their day afterwards', async (t) => {
  const own = loadConfig(await ownDatabase({ migrated: false })).database;
  const earlier = mkdtempSync(join(tmpdir(), 'musicez-prisma-'));
  t.teardown(() => rmSync(earlier, { recursive: true }));
  const isEarlier = (path: string) => !/^\d{14}_/.test(basename(path)) || basename(path) < '20261123110000';
  cpSync(options.prismaDir, earlier, { recursive: true, filter: isEarlier });
  const old = openDatabase({ ...own, prismaDir: earlier });
  await old.start(() => {});
  await old.migrate(version);
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

t.test('a second run applies nothing, and there is one health row a version', async (t) => {
  t.strictSame(await database.migrate(version), { applied: [], edited: [] });
  await database.migrate('9.9.9');
  await database.migrate('9.9.9');
  const { rows } = await database.pool.query('SELECT version FROM system_health ORDER BY version');
  t.strictSame(
    rows.map((row) => row.version),
    [version, '1.0.0', '9.9.9'],
  );
});

t.test('a migration with functions, semicolons and comments runs whole', async (t) => {
  const name = '20990101000000_function';
  writeMigration(
    name,
    `-- one; two\nCREATE FUNCTION twice(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN n * 2; END; $$;\nCOMMENT ON FUNCTION twice IS 'a;b';`,
  );
  t.strictSame((await database.migrate(version)).applied, [name]);
  t.strictSame((await database.pool.query('SELECT twice(21)')).rows, [{ twice: 42 }]);
});

t.test('an applied migration that was edited since is reported by name', async (t) => {
  appendFileSync(join(prismaDir, 'migrations', '20990101000000_function', 'migration.sql'), '\n-- edited');
  t.strictSame(await database.migrate(version), { applied: [], edited: ['20990101000000_function'] });
});

t.test(
  "a failed migration is told by name with the database's message, leaves nothing behind, and stops later starts",
  async (t) => {
    const name = '20990102000000_broken';
    writeMigration(name, 'CREATE TABLE half (id int);\nALTER TABLE nowhere ADD COLUMN x int;');
    const failed = {
      name: 'DatabaseStartError',
      message: `migration ${name} failed: relation "nowhere" does not exist`,
    };
    await t.rejects(database.migrate(version), failed);
    t.strictSame((await database.pool.query(`SELECT to_regclass('half') AS half`)).rows, [{ half: null }]);
    await t.rejects(database.migrate(version), {
      message: new RegExp(`^migration ${name} failed at an earlier start: [^\n]+$`),
    });

    writeMigration(name, 'CREATE TABLE half (id int);');
    await markRolledBack(database.pool, database.schema, prismaDir, name);
    t.strictSame((await database.migrate(version)).applied, [name]);
  },
);

t.test('only a failed migration can be marked as rolled back', async (t) => {
  await t.rejects(markRolledBack(database.pool, database.schema, prismaDir, 'nothing'), { name: 'DatabaseStartError' });
});
