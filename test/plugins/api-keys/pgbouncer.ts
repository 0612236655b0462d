import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { accepts, freePort } from '../../process.js';

// Where Debian keeps it.
const path = `${process.env.PATH}:/usr/sbin`;

/** `{ skip: needsPgBouncer }`; in CI a missing one is a failure. */
export const needsPgBouncer = !isInstalled() && !process.env.CI && 'needs pgbouncer';

/**
 * A PgBouncer in transaction mode in front of a database; gone when the test ends.
 *
 * @returns the URL by which the database is reached through it
 */
export async function startPgBouncer(t: Test, databaseUrl: string): Promise<string> {
  const target = new URL(databaseUrl);
  const name = target.pathname.slice(1);
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'musicez-pgbouncer-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
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
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? ['-u', 'postgres'] : [];
  const bouncer = spawn('pgbouncer', [...user, config], { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: path } });
  let said = '';
  bouncer.stderr.on('data', (chunk) => (said += chunk));
  const gone = once(bouncer, 'exit');
  t.teardown(async () => {
    bouncer.kill('SIGKILL');
    await gone;
  });
  while (!(await accepts(port))) {
    if (bouncer.exitCode !== null) throw new Error(`pgbouncer ended:\n${said}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  target.host = `127.0.0.1:${port}`;
  return target.href;
}

function isInstalled() {
  try {
    execFileSync('pgbouncer', ['--version'], { stdio: 'ignore', env: { PATH: path } });
    return true;
  } catch {
    return false;
  }
}
