import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { createTestDatabase, onPostgres } from '../database.js';
import { freePort, startService } from '../process.js';
import { root } from '../root.js';

/** Runs a script of package.json without its generate and build steps, which npm has run before the tests. */
const npm = `
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
process.env.PATH = 'node_modules/.bin:' + process.env.PATH;
const [verb, ...rest] = process.argv.slice(2).filter((arg) => arg !== '--silent');
const name = verb === 'run' ? rest.shift() : verb;
if (!(name in scripts)) throw new Error('there is no script ' + name);
if (rest[0] === '--') rest.shift();
const built = /npm run --silent (build|build:page|prisma:generate)( >&2)? && /g;
const child = spawn('sh', ['-c', 'exec ' + scripts[name].replace(built, '') + ' "$@"', name, ...rest], { stdio: 'inherit' });
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
`;

/** Prepares a directory like a checkout, with a running service and a database, for the commands of the pages. */
export async function prepareShell() {
  const database = await createTestDatabase();
  const admin = generateKey('mez');
  const ids = await createSampleData(database, admin);
  // Only one process can open an embedded database, so the commands use a copy.
  const home = t.testdir();
  const own = onPostgres ? database : { DATA_DIR: join(home, 'data') };
  if (!onPostgres) cpSync(database.DATA_DIR, own.DATA_DIR, { recursive: true });
  const service = await startService({ ...database, REQUEST_LOG_FLUSH_MS: '1' });

  const checkout = join(home, 'checkout');
  mkdirSync(checkout);
  for (const name of readdirSync(root)) {
    if (!name.startsWith('.')) symlinkSync(join(root, name), join(checkout, name));
  }
  mkdirSync(join(home, 'bin'));
  writeFileSync(join(home, 'npm.mjs'), npm);
  // Without tap's loader.
  const launcher = `#!/bin/sh\nunset NODE_OPTIONS\nexec ${process.execPath} ${join(home, 'npm.mjs')} "$@"\n`;
  writeFileSync(join(home, 'bin', 'npm'), launcher);
  chmodSync(join(home, 'bin', 'npm'), 0o755);
  // Make curl fail on error responses.
  writeFileSync(join(home, '.curlrc'), 'fail-with-body\nno-progress-meter\n');

  const environment = {
    ...process.env,
    ...own,
    LOG_LEVEL: 'info',
    HOME: home,
    PATH: `${join(home, 'bin')}:${process.env.PATH}`,
    KEY: admin,
    ADMIN_KEY: admin,
    ID: ids[0],
    STANDBY_URL: database.DATABASE_URL,
  };
  // `$ID` uses the first id.
  let used = 1;

  /** Replaces the placeholders of a command. */
  function fillPlaceholders(command: string): string {
    return command
      .replaceAll('127.0.0.1:3000', new URL(service.url).host)
      .replaceAll('mez_…', admin)
      .replaceAll(/(?<![$\w])ID\b/g, () => ids[used++ % ids.length] ?? '')
      .replaceAll(/DATABASE_URL=\S+/g, `DATABASE_URL=${database.DATABASE_URL}`);
  }

  function start(command: string, variables: NodeJS.ProcessEnv = {}) {
    const child = spawn('bash', ['-euo', 'pipefail', '-c', fillPlaceholders(command)], {
      cwd: checkout,
      env: { ...environment, ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const output = { text: '' };
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output.text += chunk));
    const exited = once(child, 'close').then(([code, signal]) => code ?? signal);
    t.teardown(() => end(child, 'SIGKILL'));
    return { child, output, exited };
  }

  /** Runs a command until it exits, and returns its output. */
  async function run(command: string) {
    const { output, exited } = start(command);
    return { code: await exited, output: output.text };
  }

  /** Starts a command that runs the service, waits until it is ready, and stops it. */
  async function serve(command: string) {
    const port = String(await freePort());
    const { child, output, exited } = start(command, { PORT: port, HOST: '127.0.0.1' });
    let hasEnded = false;
    const ended = exited.finally(() => {
      hasEnded = true;
    });
    let isServing = false;
    while (!isServing && !hasEnded) {
      await delay(50);
      isServing = await isReady(`http://127.0.0.1:${port}/readyz`);
    }
    // Signal only npm, not its process group: npm forwards the signal.
    child.kill('SIGTERM');
    return { isServing, code: await ended, output: output.text };
  }

  /** Starts a command that streams events, waits for its first output, and stops it. */
  async function listen(command: string) {
    const { child, output, exited } = start(command);
    await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), exited]);
    end(child, 'SIGTERM');
    await exited;
    return { output: output.text };
  }

  return { run, serve, listen };
}

/** Creates the keys and requests that the pages refer to. @returns the ids of the keys */
async function createSampleData(database: NodeJS.ProcessEnv, admin: string): Promise<string[]> {
  const app = await buildApp(loadConfig({ LOG_LEVEL: 'silent', ...database }));
  await app.ready();
  await app.database.ready;
  await app.apiKeys.adopt(admin, { name: 'bootstrap', scopes: ['admin'] });
  const ids: string[] = [];
  for (let i = 0; i < 16; i++) ids.push((await app.apiKeys.create({ name: `key ${i}`, scopes: [] })).id);
  await app.inject({ url: '/v1/me', headers: { 'x-api-key': admin } });
  await app.close();
  return ids;
}

function isReady(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ status }) => status === 200,
    () => false,
  );
}

function end(child: ChildProcess, signal: NodeJS.Signals) {
  try {
    process.kill(-(child.pid ?? 0), signal);
  } catch {
    // The process has already exited.
  }
}
