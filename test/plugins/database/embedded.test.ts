import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { startApp } from '../../app.js';
import { onPostgres, ownDatabase } from '../../database.js';
import { run, startService, untilStatus } from '../../process.js';

const key = generateKey('mez');
const bearer = { headers: { 'x-api-key': key } };

t.test('after kill -9 it starts again and has its rows', { skip: onPostgres }, async (t) => {
  const variables = { ...(await ownDatabase()), BOOTSTRAP_ADMIN_KEY: key, REQUEST_LOG_FLUSH_MS: '5' };
  const service = await startService(variables);
  const id = (await fetch(`${service.url}/v1/me`, bearer)).headers.get('x-request-id');
  await untilStatus(`${service.url}/v1/request-logs/${id}`, 200, bearer);
  service.child.kill('SIGKILL');
  t.equal(await service.exited, 'SIGKILL');

  const again = await startService(variables);
  t.equal((await fetch(`${again.url}/v1/request-logs/${id}`, bearer)).status, 200);
});

t.test(
  'a second process on the same directory is one clear line and exit code 1; the first goes on',
  { skip: onPostgres },
  async (t) => {
    const variables = await ownDatabase();
    const service = await startService(variables);
    t.match(service.stdout(), /for one process; survives a killed process, not a power cut/);
    const second = run('src/server.ts', [], { ...variables, PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'fatal' });
    t.equal(await second.exited, 1);
    t.match(
      second.stderr(),
      new RegExp(`^musicez: another process is using the embedded database in ${variables.DATA_DIR}: [^\n]+\n$`),
    );
    t.equal((await fetch(`${service.url}/health`)).status, 200);
  },
);

t.test(
  'of several processes that start at once on a directory left by kill -9 one gets it',
  { skip: onPostgres },
  async (t) => {
    const variables = await ownDatabase();
    const first = await startService(variables);
    first.child.kill('SIGKILL');
    await first.exited;
    const contenders = [1, 2, 3].map(() => run('src/server.ts', [], { ...variables, PORT: '0', HOST: '127.0.0.1' }));
    const exits: unknown[] = [];
    await new Promise<void>((resolve) => {
      for (const { exited } of contenders) void exited.then((code) => exits.push(code) === 2 && resolve());
    });
    t.strictSame(exits, [1, 1]);
    const owner = contenders.find(({ child }) => child.exitCode === null);
    const [, url] = (await owner?.waitFor(/listening at (http:[^"]+)/)) ?? [];
    await untilStatus(`${url}/readyz`, 200);
  },
);

t.test('a directory too deep for a Unix socket will do', { skip: onPostgres }, async (t) => {
  const { DATA_DIR } = await ownDatabase();
  const deep = join(DATA_DIR, ...Array.from({ length: 12 }, () => 'directories'));
  mkdirSync(deep, { recursive: true });
  const app = await startApp({ DATA_DIR: deep });
  t.equal((await app.inject('/health')).statusCode, 200);
  t.ok(existsSync(join(deep, 'pglite')));
});
