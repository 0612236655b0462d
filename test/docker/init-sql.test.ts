import { execFile } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Test, test } from 'tap';

const run = promisify(execFile);
const databases = ['musicez_dev', 'musicez_shadow', 'musicez_test'];

const programs = await findPrograms();
// In CI a missing program is a failure.
const skip = !programs && !process.env.CI && 'needs PostgreSQL: psql, initdb and pg_ctl are not all installed';

test('init.sql makes the databases where there are none, and may be run again', { skip }, async (t) => {
  const cluster = await startCluster(t);
  await cluster.runInitSql('postgres');
  await hasDatabases(t, cluster);

  await cluster.query('musicez_dev', 'CREATE TABLE kept ()');
  await cluster.runInitSql('postgres');
  await hasDatabases(t, cluster);
  await t.resolves(cluster.query('musicez_dev', 'SELECT FROM kept'), 'the second run keeps what is in them');
});

test('init.sql runs to its end where POSTGRES_DB has made musicez_dev, and may be run again', { skip }, async (t) => {
  const cluster = await startCluster(t);
  await cluster.query('postgres', 'CREATE DATABASE musicez_dev');
  for (const _ of ['the first start', 'later']) {
    // The image runs it in the database that POSTGRES_DB names.
    await cluster.runInitSql('musicez_dev');
    await hasDatabases(t, cluster);
  }
});

type Cluster = Awaited<ReturnType<typeof startCluster>>;

async function hasDatabases(t: Test, cluster: Cluster) {
  // A database that nothing was granted on has no list of privileges at all.
  const rows = await cluster.query(
    'postgres',
    `SELECT datname || ' ' || coalesce(datacl::text, '') FROM pg_database WHERE datname LIKE 'musicez%' ORDER BY 1`,
  );
  t.strictSame(
    rows.split('\n'),
    databases.map((name) => `${name} {=Tc/postgres,postgres=CTc/postgres}`),
    'the three are there, all privileges granted',
  );
}

/** A PostgreSQL of this test's own, reached by a socket in a temporary directory; gone when the test ends. */
async function startCluster(t: Test) {
  if (!programs) throw new Error('psql, initdb or pg_ctl is not installed');
  const { psql, initdb, pgCtl } = programs;
  const server = await serverUser();
  const directory = mkdtempSync(join(tmpdir(), 'musicez-pg-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  if (server.uid !== undefined && server.gid !== undefined) chownSync(directory, server.uid, server.gid);
  const data = join(directory, 'data');
  await run(
    initdb,
    ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C'],
    server,
  );

  // No TCP, so that no port is taken.
  const options = `-k ${directory} -c listen_addresses='' -c fsync=off`;
  await run(pgCtl, ['start', '-w', '-D', data, '-l', join(directory, 'log'), '-o', options], server);
  t.teardown(() => run(pgCtl, ['stop', '-w', '-m', 'immediate', '-D', data], server));

  const ask = (database: string, ...args: string[]) =>
    run(psql, ['-X', '-w', '-h', directory, '-U', 'postgres', '-d', database, '-v', 'ON_ERROR_STOP=1', ...args], {
      env: { PATH: process.env.PATH },
    });
  return {
    /** Rejects unless psql exits with 0. */
    runInitSql: (database: string) => ask(database, '-f', 'docker/postgres/init.sql'),
    query: async (database: string, sql: string) => (await ask(database, '-Atqc', sql)).stdout.trim(),
  };
}

/** PostgreSQL refuses to run as root. Its locale is C, its working directory one that everybody may enter. */
async function serverUser(): Promise<{ cwd: string; env: NodeJS.ProcessEnv; uid?: number; gid?: number }> {
  const common = { cwd: tmpdir(), env: { PATH: process.env.PATH, LC_ALL: 'C' } };
  if (process.getuid?.() !== 0) return common;
  const id = async (option: string) => Number((await run('id', [option, 'postgres'])).stdout);
  return { ...common, uid: await id('-u'), gid: await id('-g') };
}

async function findPrograms() {
  const pgConfig = await run('pg_config', ['--bindir']).catch(() => undefined);
  // Debian keeps the server's programs away from PATH, one directory a version.
  const debian = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql').sort().reverse() : [];
  const directories = [
    ...(pgConfig ? [pgConfig.stdout.trim()] : []),
    ...debian.map((version) => `/usr/lib/postgresql/${version}/bin`),
    ...(process.env.PATH ?? '').split(':'),
  ];
  const [psql, initdb, pgCtl] = ['psql', 'initdb', 'pg_ctl'].map((name) =>
    directories.map((directory) => join(directory, name)).find(existsSync),
  );
  return psql && initdb && pgCtl ? { psql, initdb, pgCtl } : undefined;
}
