import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { onPostgres, ownDatabase } from '../database.js';
import { freePort, startService } from '../process.js';
import { root } from '../root.js';

/** Does what the script is in package.json, save what npm has done before the tests: generate and compile. */
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

/** A place like a checkout in which somebody follows the pages, with a service to ask and a database to work on. */
export async function prepareShell() {
  const database = await ownDatabase();
  const admin = generateKey('mez');
  const ids = await fill(database, admin);
  // The embedded database belongs to one process: the commands have a copy.
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
  // So that curl fails where the service refuses.
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
  // `$ID` is the first.
  let used = 1;

  /** A command as it is written, with what it names put in its place. */
  function filled(command: string): string {
    return command
      .replaceAll('127.0.0.1:3000', new URL(service.url).host)
      .replaceAll('mez_…', admin)
      .replaceAll(/(?<![$\w])ID\b/g, () => ids[used++ % ids.length] ?? '')
      .replaceAll(/DATABASE_URL=\S+/g, `DATABASE_URL=${database.DATABASE_URL}`);
  }

  function start(command: string, variables: NodeJS.ProcessEnv = {}) {
    const child = spawn('bash', ['-euo', 'pipefail', '-c', filled(command)], {
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

  /** Runs it to its end, and returns what it wrote. */
  async function run(command: string) {
    const { output, exited } = start(command);
    return { code: await exited, output: output.text };
  }

  /** Starts what goes on until it is stopped, waits until it serves, and stops it. */
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
      isServing = await answers(`http://127.0.0.1:${port}/readyz`);
    }
    // Not its group: npm passes it on.
    child.kill('SIGTERM');
    return { isServing, code: await ended, output: output.text };
  }

  /** Starts what tells of things as they happen, waits for the first word, and stops it. */
  async function listen(command: string) {
    const { child, output, exited } = start(command);
    await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), exited]);
    end(child, 'SIGTERM');
    await exited;
    return { output: output.text };
  }

  return { run, serve, listen };
}

/** Keys and requests for the pages to speak of. */
async function fill(database: NodeJS.ProcessEnv, admin: string): Promise<string[]> {
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

function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ status }) => status === 200,
    () => false,
  );
}

function end(child: ChildProcess, signal: NodeJS.Signals) {
  try {
    process.kill(-(child.pid ?? 0), signal);
  } catch {
    // It has ended.
  }
}
