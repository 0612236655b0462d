import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { productionPackages, readLockFile } from '../../scripts/lock-file.js';
import { createTestDatabase, needsPostgres, skipFileOnEmbedded } from '../database.js';
import { run, untilStatus } from '../process.js';
import { root } from '../root.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { readDockerfile } from './dockerfile.js';

skipFileOnEmbedded();

// The contents of /app in the image, built like in the Dockerfile but without a container engine. Outside of the
// project, so that Node.js does not find packages in the project's node_modules that the image lacks.
const app = temporaryDirectory();
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
if (!prune || others.length > 0)
  throw new Error('the Dockerfile must have exactly one RUN that removes unneeded files');
execFileSync('sh', ['-c', prune.rest], { cwd: app });
for (const path of ['dist', 'package.json', 'prisma/schema.prisma', 'prisma/migrations']) {
  cpSync(join(root, path), join(app, path), { recursive: true, filter: (file) => !file.endsWith('.map') });
}

/** In bytes. Each file counts as whole blocks, like on a file system. */
const maxBytes = 70 * 2 ** 20;

t.test('the image is at most 70 MB larger than its base', async (t) => {
  const files = readdirSync(app, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const sizes = files.map(({ parentPath, name }) => Math.ceil(statSync(join(parentPath, name)).size / 4096) * 4096);
  const size = sizes.reduce((sum, size) => sum + size, 0);
  t.ok(size <= maxBytes, `${size} bytes in ${files.length} files`);
});

t.test('the image contains everything that the commands, pages and routes need', async (t) => {
  const key = generateKey('mez');
  const variables = {
    ...(await createTestDatabase({ migrated: false })),
    PORT: '0',
    HOST: '127.0.0.1',
    BOOTSTRAP_ADMIN_KEY: key,
    // No Redis listens here: the service logs that and retries.
    REDIS_URL: 'redis://127.0.0.1:1',
    // As in a container, without the loaders of the tests.
    NODE_OPTIONS: '',
  };
  const migration = run(join(app, 'dist/src/cli.js'), ['migrate'], variables);
  t.equal(await migration.exited, 0, migration.stderr());
  const cli = run(join(app, 'dist/src/cli.js'), ['keys', 'create', '--name', 'shell', '--scope', 'read'], variables);
  t.equal(await cli.exited, 0, cli.stderr());

  const service = run(join(app, 'dist/src/server.js'), [], variables);
  const [, url = ''] = await service.waitFor(/listening at (http:[^"]+)/);
  await untilStatus(`${url}/readyz`, 200);
  const get = async (path: string) => {
    const response = await fetch(new URL(path, url), { headers: { 'x-api-key': key } });
    t.ok(response.ok, `${response.status} ${path}`);
    return response;
  };

  const page = await (await get('/documentation/')).text();
  const assets = [...page.matchAll(/(?:src|href)="(\.[^"]+)"/g)].map(([, path = '']) => path);
  t.ok(assets.length > 3);
  for (const path of assets) await (await get(new URL(path, `${url}/documentation/`).pathname)).arrayBuffer();

  const { paths } = (await (await get('/documentation/json')).json()) as { paths: Record<string, { get?: object }> };
  const routes = Object.entries(paths).filter(([path, { get }]) => get && !path.includes('{'));
  t.ok(routes.length > 10);
  const queries: Record<string, string> = {
    '/v1/request-logs/export': '?format=csv',
    '/v1/request-logs/groups': '?by=error',
    '/v1/usage': '?ownerId=acme',
  };
  for (const [path] of routes) await (await get(path + (queries[path] ?? ''))).body?.cancel();

  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
});

t.test('without a key the service logs a command that creates one in the image', { skip: needsPostgres }, async (t) => {
  const variables = { ...(await createTestDatabase()), PORT: '0', HOST: '127.0.0.1', NODE_OPTIONS: '' };
  const service = run(join(app, 'dist/src/server.js'), [], variables);
  const [, args = ''] = await service.waitFor(/there is no API key yet: node dist\/src\/cli\.js ([^,]+), or/);
  const cli = run(join(app, 'dist/src/cli.js'), args.split(' '), variables);
  t.equal(await cli.exited, 0, cli.stderr());
});
