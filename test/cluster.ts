import { execFile } from 'node:child_process';
import { chownSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Test } from 'tap';
import { temporaryDirectory } from './temporary-directory.js';

const run = promisify(execFile);
const programs = await findPrograms();

/** For tests that start and stop a PostgreSQL server: `{ skip: needsCluster }`. In CI a missing program is a failure. */
export const needsCluster =
  !programs && !process.env.CI && 'needs PostgreSQL: psql, initdb and pg_ctl are not all installed';

export type Cluster = Awaited<ReturnType<typeof startCluster>>;

/**
 * Starts a PostgreSQL server for one test, reached through a Unix socket. It is removed when the test ends.
 *
 * @param settings as in postgresql.conf
 */
export async function startCluster(t: Test, settings: Record<string, string | number> = {}) {
  if (!programs) throw new Error('psql, initdb or pg_ctl is not installed');
  const { psql, initdb, pgCtl } = programs;
  const server = await serverUser();
  const directory = temporaryDirectory(t);
  if (server.uid !== undefined && server.gid !== undefined) chownSync(directory, server.uid, server.gid);
  const data = join(directory, 'data');
  await run(
    initdb,
    ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C'],
    server,
  );

  // Listens on TCP only if the settings enable it, so that no port is used.
  const all = { unix_socket_directories: directory, port: 5432, listen_addresses: '', fsync: 'off', ...settings };
  const options = Object.entries(all).map(([name, value]) => `-c ${name}='${value}'`);
  const log = join(directory, 'log');
  const start = () => run(pgCtl, ['start', '-w', '-D', data, '-l', log, '-o', options.join(' ')], server);
  const stop = (mode: 'fast' | 'immediate') => run(pgCtl, ['stop', '-w', '-m', mode, '-D', data], server);
  await start();
  t.teardown(() => stop('immediate').catch(() => {}));

  const runPsql = (database: string, ...args: string[]) =>
    run(psql, ['-X', '-w', '-d', database, '-v', 'ON_ERROR_STOP=1', ...args], {
      env: { PATH: process.env.PATH, PGHOST: directory, PGPORT: `${all.port}`, PGUSER: 'postgres' },
    });
  return {
    url: `postgresql://postgres@${encodeURIComponent(directory)}:${all.port}/postgres`,
    start,
    stop,
    /** Returns the server log so far. */
    log: () => readFileSync(log, 'utf8'),
    /** Rejects unless psql exits with 0. */
    runScript: (database: string, file: string) => runPsql(database, '-f', file),
    query: async (database: string, sql: string) => (await runPsql(database, '-Atqc', sql)).stdout.trim(),
  };
}

/** PostgreSQL does not run as root: root runs it as `postgres`. Locale C, in a directory that any user can enter. */
async function serverUser(): Promise<{ cwd: string; env: NodeJS.ProcessEnv; uid?: number; gid?: number }> {
  const common = { cwd: tmpdir(), env: { PATH: process.env.PATH, LC_ALL: 'C' } };
  if (process.getuid?.() !== 0) return common;
  const id = async (option: string) => Number((await run('id', [option, 'postgres'])).stdout);
  return { ...common, uid: await id('-u'), gid: await id('-g') };
}

async function findPrograms() {
  const pgConfig = await run('pg_config', ['--bindir']).catch(() => undefined);
  // Debian installs the server's programs outside of PATH, in a directory for each version.
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
