import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { isInstalled } from '../../installed.js';
import { acceptsConnections, freePort } from '../../process.js';
import { temporaryDirectory } from '../../temporary-directory.js';

// Debian installs pgbouncer in /usr/sbin.
const path = `${process.env.PATH}:/usr/sbin`;

/** `{ skip: needsPgBouncer }`; in CI a missing PgBouncer is a failure. */
export const needsPgBouncer =
  !isInstalled('pgbouncer', ['--version'], { PATH: path }) && !process.env.CI && 'needs pgbouncer';

/**
 * Starts PgBouncer in transaction mode in front of a database. It is stopped when the test ends.
 *
 * @returns the URL of the database through PgBouncer
 */
export async function startPgBouncer(t: Test, databaseUrl: string): Promise<string> {
  const target = new URL(databaseUrl);
  const name = target.pathname.slice(1);
  const port = await freePort();
  const directory = temporaryDirectory(t);
  const password = target.password && ` password=${decodeURIComponent(target.password)}`;
  const origin = `host=${target.hostname} port=${target.port || 5432} user=${target.username}${password}`;
  const config = join(directory, 'pgbouncer.ini');
  writeFileSync(
    config,
    [
      '[databases]',
      `${name} = ${origin} dbname=${name}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = any',
      'pool_mode = transaction',
      'default_pool_size = 5',
    ].join('\n'),
  );
  chmodSync(directory, 0o755);
  // PgBouncer does not run as root.
  const user = process.getuid?.() === 0 ? ['-u', 'postgres'] : [];
  const bouncer = spawn('pgbouncer', [...user, config], { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: path } });
  let output = '';
  bouncer.stderr.on('data', (chunk) => (output += chunk));
  const exited = once(bouncer, 'exit');
  t.teardown(async () => {
    bouncer.kill('SIGKILL');
    await exited;
  });
  while (!(await acceptsConnections(port))) {
    if (bouncer.exitCode !== null) throw new Error(`pgbouncer ended:\n${output}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  target.host = `127.0.0.1:${port}`;
  return target.href;
}
