import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { startApp } from '../../app.js';
import { copyTemplate, onPostgres, ownDatabase } from '../../database.js';
import { run, startService, untilStatus } from '../../process.js';

const key = generateKey('mez');
const bearer = { headers: { 'x-api-key': key } };

t.test(
  'after kill -9 one of the processes that start gets the directory, with its rows',
  { skip: onPostgres },
  async (t) => {
    const variables = { ...(await ownDatabase()), BOOTSTRAP_ADMIN_KEY: key };
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

    t.test('and the others say so in one line, and exit with 1', async (t) => {
      for (const { exited, stderr } of losers) {
        t.equal(await exited, 1);
        const line = `^musicez: another process is using the embedded database in ${variables.DATA_DIR}: [^\n]+\n$`;
        t.match(stderr(), new RegExp(line));
      }
    });
  },
);

t.test('a directory too deep for a Unix socket will do', { skip: onPostgres }, async (t) => {
  const { DATA_DIR } = await ownDatabase();
  const deep = join(DATA_DIR, ...Array.from({ length: 12 }, () => 'directories'));
  mkdirSync(deep, { recursive: true });
  copyTemplate(deep);
  const app = await startApp({ DATA_DIR: deep });
  t.match(await app.prisma.systemHealth.findFirst(), { status: 'healthy' });
});
