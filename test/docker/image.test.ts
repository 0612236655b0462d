import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { productionPackages, readLockFile } from '../../deploy/lock-file.js';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { needsPostgres, ownDatabase } from '../database.js';
import { run, untilStatus } from '../process.js';
import { root } from '../root.js';
import { readDockerfile } from './dockerfile.js';

// What the image has in /app, put together as the Dockerfile does it, without an engine for containers. It is not below the
// project, where Node.js would find in the project's own node_modules what the image lacks.
const app = mkdtempSync(join(tmpdir(), 'musicez-image-'));
t.teardown(() => rmSync(app, { recursive: true, force: true }));
for (const [path] of productionPackages(readLockFile(root))) {
  const source = join(root, path);
  cpSync(source, join(app, path), {
    recursive: true,
    filter: (file) => !file.slice(source.length).includes('node_modules'),
  });
}
writeFileSync(join(app, 'node_modules/.package-lock.json'), 'what npm leaves');
const [prune, ...others] = readDockerfile().filter(
  ({ stage, rest }) => stage === 'dependencies' && /^find /.test(rest),
);
if (!prune || others.length > 0) throw new Error('one RUN takes out what is not needed');
execFileSync('sh', ['-c', prune.rest], { cwd: app });
for (const path of ['dist', 'package.json', 'prisma/schema.prisma', 'prisma/migrations']) {
  cpSync(join(root, path), join(app, path), { recursive: true, filter: (file) => !file.endsWith('.map') });
}

/** In bytes, each file as whole blocks, as a file system has it. */
const atMost = 70 * 2 ** 20;

t.test('the image is at most 70 MB larger than its base', async (t) => {
  const files = readdirSync(app, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const sizes = files.map(({ parentPath, name }) => Math.ceil(statSync(join(parentPath, name)).size / 4096) * 4096);
  const size = sizes.reduce((sum, size) => sum + size, 0);
  t.ok(size <= atMost, `${size} bytes in ${files.length} files`);
});

t.test('what the image has is enough: for the commands, and for every page and route', async (t) => {
  const key = generateKey('mez');
  const variables = {
    ...(await ownDatabase({ migrated: false })),
    PORT: '0',
    HOST: '127.0.0.1',
    BOOTSTRAP_ADMIN_KEY: key,
    // Nobody is there: it says so and goes on.
    REDIS_URL: 'redis://127.0.0.1:1',
    // As a container, without what the tests are loaded by.
    NODE_OPTIONS: '',
  };
  const cli = run(join(app, 'dist/src/cli.js'), ['keys', 'create', '--name', 'shell', '--scope', 'read'], variables);
  t.equal(await cli.exited, 0, cli.stderr());

  const service = run(join(app, 'dist/src/server.js'), [], variables);
  const [, url = ''] = await service.waitFor(/listening at (http:[^"]+)/);
  await untilStatus(`${url}/readyz`, 200);
  const get = async (path: string) => {
    const answer = await fetch(new URL(path, url), { headers: { 'x-api-key': key } });
    t.ok(answer.ok, `${answer.status} ${path}`);
    return answer;
  };

  const page = await (await get('/documentation/')).text();
  const assets = [...page.matchAll(/(?:src|href)="(\.[^"]+)"/g)].map(([, path = '']) => path);
  t.ok(assets.length > 3);
  for (const path of assets) await (await get(new URL(path, `${url}/documentation/`).pathname)).arrayBuffer();

  const { paths } = (await (await get('/documentation/json')).json()) as { paths: Record<string, { get?: object }> };
  const routes = Object.entries(paths).filter(([path, { get }]) => get && !path.includes('{'));
  t.ok(routes.length > 10);
  for (const [path] of routes) await (await get(path.replace(/\/export$/, '$&?format=csv'))).body?.cancel();

  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
});

t.test('without a key its log has the command that makes one there', { skip: needsPostgres }, async (t) => {
  const variables = { ...(await ownDatabase()), PORT: '0', HOST: '127.0.0.1', NODE_OPTIONS: '' };
  const service = run(join(app, 'dist/src/server.js'), [], variables);
  const [, args = ''] = await service.waitFor(/there is no API key yet: node dist\/src\/cli\.js ([^,]+), or/);
  const cli = run(join(app, 'dist/src/cli.js'), args.split(' '), variables);
  t.equal(await cli.exited, 0, cli.stderr());
});
