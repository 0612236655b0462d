import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { OwnTables } from '../../../plugins/database/migrations/sets.js';
import { openDatabase } from '../../../plugins/database/open.js';
import { loadConfig } from '../../../src/config/index.js';
import { createTestDatabase, onPostgres } from '../../database.js';
import { temporaryDirectory } from '../../temporary-directory.js';

const name = '20260101000000_notes';
const prismaDir = temporaryDirectory();
mkdirSync(join(prismaDir, 'migrations', name), { recursive: true });
const write = (script: string) => writeFileSync(join(prismaDir, 'migrations', name, 'migration.sql'), script);
write('CREATE TABLE notes (id int);');

const config = loadConfig(await createTestDatabase({ migrated: false }));

async function open(tables: OwnTables, { database: options, version } = config) {
  const database = openDatabase({ ...options, tables });
  await database.start(() => {});
  return { ...database, migrate: () => database.migrate(version) };
}

t.test('the history of own tables is apart from that of musicez, also in the same schema', async (t) => {
  const musicez = openDatabase(config.database);
  await musicez.start(() => {});
  const { applied } = await musicez.migrate(config.version);
  await musicez.close();
  for (const [tables, history] of [
    [{ prismaDir }, 'public._service_migrations'],
    [{ prismaDir, schema: 'Notes' }, '"Notes"._prisma_migrations'],
  ] as const) {
    const database = await open(tables);
    await t.rejects(database.assertMigrated('migrate'), {
      name: 'DatabaseStartError',
      message: new RegExp(
        `^the database lacks the migration ${name} of ${prismaDir}: call migrate\\(\\) of the service`,
      ),
    });
    t.strictSame(await database.migrate(), { applied: [name], edited: [], missing: [] });
    t.strictSame(await database.migrate(), { applied: [], edited: [], missing: [] });
    await database.assertMigrated('migrate');
    const historyOf = async (table: string) =>
      (await database.pool.query(`SELECT migration_name AS name FROM ${table} ORDER BY 1`)).rows.map(
        ({ name }) => name,
      );
    t.strictSame(await historyOf(history), [name]);
    t.strictSame(await historyOf('public._prisma_migrations'), applied);
    await database.close();
  }
});

t.test('a failed migration of own tables leaves nothing behind, and is applied once it is corrected', async (t) => {
  const tables = { prismaDir, schema: 'failing' };
  const database = await open(tables);
  write('CREATE TABLE half (id int); ALTER TABLE nowhere ADD COLUMN x int;');
  await t.rejects(database.migrate(), {
    name: 'DatabaseStartError',
    message: `migration ${name} of ${prismaDir} failed: relation "nowhere" does not exist`,
  });
  write('CREATE TABLE notes (id int);');
  t.strictSame((await database.migrate()).applied, [name]);
  const { rows } = await database.pool.query(`SELECT to_regclass('failing.half') AS half`);
  t.strictSame(rows, [{ half: null }]);
  await database.close();
});

t.test('tables of others are refused, and a directory that cannot be read is named', async (t) => {
  const used = await open({ prismaDir, schema: 'used' });
  await used.pool.query('CREATE SCHEMA used; CREATE TABLE used.notes (id int)');
  await t.rejects(used.migrate(), {
    name: 'DatabaseStartError',
    message: /^schema "used" has tables \("notes"\) and no history of migrations; [^\n]+$/,
  });
  await used.close();
  await t.rejects(open({ prismaDir, schema: 'public' }), {
    name: 'DatabaseStartError',
    message: /^"tables": musicez uses the schema "public"; /,
  });
  const missing = await open({ prismaDir: '/nowhere' });
  await t.rejects(missing.migrate(), {
    name: 'DatabaseStartError',
    message: /^migrations cannot be read: [^\n]*\/nowhere/,
  });
  await missing.close();
});

t.test('own migrations may be replaced, and a history without those of musicez is refused', async (t) => {
  const other = temporaryDirectory(t);
  mkdirSync(join(other, 'migrations/20270101000000_other'), { recursive: true });
  writeFileSync(join(other, 'migrations/20270101000000_other/migration.sql'), 'CREATE TABLE other (id int);');
  const replaced = await open({ prismaDir: other, schema: 'Notes' });
  t.match(await replaced.migrate(), { applied: ['20270101000000_other'], missing: [name] });
  await replaced.close();

  const own = loadConfig(await createTestDatabase({ migrated: false }));
  const foreign = openDatabase({ ...own.database, prismaDir: other });
  await foreign.start(() => {});
  await t.rejects(foreign.migrate(own.version), { code: '42P01' });
  await foreign.close();
  const musicez = openDatabase(own.database);
  await musicez.start(() => {});
  await t.rejects(musicez.migrate(own.version), {
    name: 'DatabaseStartError',
    message:
      /^DATABASE_URL: schema "public" has the migrations of another application in _prisma_migrations \(such as 20270101000000_other\)/,
  });
  await musicez.close();
});

t.test('of several replicas that start, one creates the tables', { skip: !onPostgres && 'one process' }, async (t) => {
  const own = loadConfig(await createTestDatabase({ migrated: false }));
  const replicas = await Promise.all([1, 2, 3].map(() => open({ prismaDir, schema: 'notes' }, own)));
  const reports = await Promise.all(replicas.map(({ migrate }) => migrate()));
  t.strictSame(
    reports.flatMap(({ applied }) => applied).filter((applied) => applied === name),
    [name],
  );
  for (const replica of replicas) await replica.close();
});
