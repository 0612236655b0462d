import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { createService } from '../../src/service.js';
import { createTestDatabase, needsPostgres, skipFileOnEmbedded } from '../database.js';
import { root } from '../root.js';

skipFileOnEmbedded();

/** Runs a program that imports `createService`, without tap's loader. */
async function runProgram(body: string, variables: NodeJS.ProcessEnv = {}) {
  const program = `import { createService } from '${join(root, 'dist/src/service.js')}';\n${body}`;
  return spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
    timeout: 30_000,
    env: {
      ...process.env,
      ...(await createTestDatabase()),
      ...{ NODE_OPTIONS: '', LOG_LEVEL: 'silent', PORT: '0' },
      ...variables,
    },
  });
}

t.test('a route module that fails ends the process at once, with its error', async (t) => {
  const { status, stdout, stderr } = await runProgram(
    "await createService({ routes: [async () => { throw new Error('the module is broken'); }] }).start();",
    { SHUTDOWN_DELAY_MS: '50000' },
  );
  t.strictSame([status, stdout], [1, '']);
  t.match(stderr, 'the module is broken');
});

t.test('an invalid variable is thrown by `app`, for tests', async (t) => {
  const service = createService();
  process.env.PORT = 'x';
  t.teardown(() => delete process.env.PORT);
  t.throws(() => service.app, { name: 'ConfigError', message: /^PORT / });
});

t.test(
  'two services of a process, and migrate before start, use the same database',
  { skip: needsPostgres },
  async (t) => {
    const { status, stdout, stderr } = await runProgram(`
    await createService().migrate();
    for (let i = 0; i < 2; i++) {
      const { app } = createService();
      await app.ready();
      console.log(app.database.isEmbedded, process.env.DATABASE_URL);
      await app.close();
    }`);
    t.strictSame([status, stderr], [0, '']);
    t.equal(stdout, 'nothing to apply\nfalse undefined\nfalse undefined\n');
  },
);
