import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { createService } from '../../src/service.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { root } from '../root.js';

skipFileOnEmbedded();

t.test('a route module that fails ends the process at once, with its error', async (t) => {
  const start = `
    import { createService } from '${join(root, 'dist/src/service.js')}';
    await createService({ routes: [async () => { throw new Error('the module is broken'); }] }).start();`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', start], {
    encoding: 'utf8',
    timeout: 30_000,
    env: {
      ...process.env,
      ...(await createTestDatabase()),
      NODE_OPTIONS: '',
      LOG_LEVEL: 'silent',
      PORT: '0',
      SHUTDOWN_DELAY_MS: '50000',
    },
  });
  t.strictSame([status, stdout], [1, '']);
  t.match(stderr, 'the module is broken');
});

t.test('an invalid variable is thrown by `app`, for tests', async (t) => {
  const service = createService();
  process.env.PORT = 'x';
  t.teardown(() => delete process.env.PORT);
  t.throws(() => service.app, { name: 'ConfigError', message: /^PORT / });
});
