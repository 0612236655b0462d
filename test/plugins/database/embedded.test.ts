import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { startApp } from '../../app.js';
import { copyTemplate, createTestDatabase, onPostgres, skipOnEmbedded } from '../../database.js';
import { run, startService, untilStatus } from '../../process.js';
import { temporaryDirectory } from '../../temporary-directory.js';

const key = generateKey('mez');
const bearer = { headers: { 'x-api-key': key } };

t.test(
  'after kill -9 exactly one of several starting processes opens the directory, and the rows are kept',
  { skip: onPostgres },
  async (t) => {
    const variables = { ...(await createTestDatabase()), BOOTSTRAP_ADMIN_KEY: key };
    const first = await startService({ ...variables, REQUEST_LOG_FLUSH_MS: '5' });
    t.match(first.stdout(), /for one process; survives a killed process, not a power cut/);
    const id = (await fetch(`${first.url}/v1/me`, bearer)).headers.get('x-request-id');
    await untilStatus(`${first.url}/v1/request-logs/${id}`, 200, bearer);
    first.child.kill('SIGKILL');
    t.equal(await first.exited, 'SIGKILL');

    const contenders = [1, 2, 3].map(() =>
      run('dist/src/server.js', [], { ...variables, PORT: '0', HOST: '127.0.0.1' }),
    );
    const losers: typeof contenders = [];
    await new Promise<void>((resolve) => {
      for (const contender of contenders) void contender.exited.then(() => losers.push(contender) === 2 && resolve());
    });
    const owner = contenders.find((contender) => !losers.includes(contender));
    const [, url] = (await owner?.waitFor(/listening at (http:[^"]+)/)) ?? [];
    await untilStatus(`${url}/readyz`, 200);
    t.equal((await fetch(`${url}/v1/request-logs/${id}`, bearer)).status, 200);

    t.test('the other processes report the conflict in one line and exit with 1', async (t) => {
      for (const { exited, stderr } of losers) {
        t.equal(await exited, 1);
        const line = `^musicez: another process is using the embedded database in ${variables.DATA_DIR}: [^\n]+\n$`;
        t.match(stderr(), new RegExp(line));
      }
    });
  },
);

t.test('a first start that is killed does not prevent later starts', { skip: skipOnEmbedded }, async (t) => {
  for (const afterMs of [600, 1_200, 2_000]) {
    const variables = { DATA_DIR: temporaryDirectory(), PORT: '0', HOST: '127.0.0.1' };
    const first = run('dist/src/server.js', [], variables);
    await first.waitFor(/embedded database in/);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    first.child.kill('SIGKILL');
    await first.exited;
    const second = await startService(variables);
    t.equal((await fetch(`${second.url}/health`)).status, 200, `killed after ${afterMs} ms`);
    second.child.kill('SIGKILL');
    await second.exited;
  }
});

t.test('a directory works even if its path is too long for a Unix socket', { skip: onPostgres }, async (t) => {
  const { DATA_DIR } = await createTestDatabase();
  const deep = join(DATA_DIR, ...Array.from({ length: 12 }, () => 'directories'));
  mkdirSync(deep, { recursive: true });
  copyTemplate(deep);
  const app = await startApp({ DATA_DIR: deep });
  t.match(await app.prisma.systemHealth.findFirst(), { status: 'healthy' });
});
