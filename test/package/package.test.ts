import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { run, untilStatus } from '../process.js';
import { root } from '../root.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { compile, install, pack } from './packed.js';

skipFileOnEmbedded();
t.setTimeout(120_000);

const maxBytes = 3_000_000;
const expectedFile =
  /^(LICENSE|README\.md|package\.json|prisma\.config\.ts|client\/openapi\.json|examples\/service\/.+|prisma\/(schema\.prisma|migrations\/.+)|dist\/(src|plugins|routes|client)\/.+\.(js|d\.ts)|dist\/dashboard\/.+)$/;

const directory = temporaryDirectory();
const { files, size, unpackedSize, filename } = pack(directory);
const tarball = join(directory, filename);

t.test('the package has what it needs, and neither tests, sources nor source maps', async (t) => {
  const paths = files.map(({ path }) => path);
  t.strictSame(
    paths.filter((path) => !expectedFile.test(path) || /\.map$|^(?!examples).*\.test\./.test(path)),
    [],
  );
  const template = execFileSync('git', ['ls-files', 'examples/service'], { cwd: root, encoding: 'utf8' });
  t.strictSame(paths.filter((path) => path.startsWith('examples/')).toSorted(), template.trim().split('\n').toSorted());
  for (const path of ['dist/src/cli.js', 'dist/src/index.d.ts', 'dist/dashboard/index.html', 'prisma/schema.prisma'])
    t.ok(paths.includes(path), path);
  t.ok(unpackedSize < maxBytes, `${size} bytes packed, ${unpackedSize} unpacked`);
});

t.test('publint and Are The Types Wrong find no problem', async (t) => {
  for (const [program, ...args] of [
    ['publint/src/cli.js', '--strict', tarball],
    ['@arethetypeswrong/cli/dist/index.js', tarball, '--profile', 'esm-only', '--quiet'],
  ] as [string, ...string[]][]) {
    const file = join(root, 'node_modules', program);
    const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    t.equal(status, 0, `${program} ${stdout}${stderr}`);
  }
});

t.test('an application of its own uses some of the plugins, and a missing one is named at the start', async (t) => {
  const directory = temporaryDirectory(t);
  cpSync(join(root, 'examples/plugins'), directory, { recursive: true });
  install(directory, tarball);
  t.strictSame(compile(directory), { status: 0, stdout: '' });
  const database = await createTestDatabase();
  const created = run('dist/src/cli.js', ['keys', 'create', '--name', 'ada', '--scope', 'hello'], database);
  t.equal(await created.exited, 0);
  const [key = ''] = /^mez_\w{38}$/m.exec(created.stdout()) ?? [];
  const app = run(join(directory, 'dist/server.js'), [], { ...database, PORT: '0' });
  const [, url = ''] = await app.waitFor(/listening at (http:[^"]+)/);
  const greeted = await untilStatus(`${url}/hello`, 200, { headers: { authorization: `Bearer ${key}` } });
  t.strictSame(await greeted.json(), { hello: 'ada' });
  const { status, headers } = await fetch(`${url}/hello`);
  t.equal(status, 401);
  t.match(headers.get('content-type'), 'application/problem+json');
  app.child.kill('SIGTERM');
  await app.exited;

  const incomplete = `
    import Fastify from 'fastify';
    import { apiKeys } from 'musicez/plugins';
    await Fastify().register(apiKeys, {});`;
  const { status: code, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', incomplete], {
    cwd: directory,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  t.equal(code, 1);
  t.match(stderr, /The dependency 'security-headers' of plugin 'api-keys' is not registered/);
});
