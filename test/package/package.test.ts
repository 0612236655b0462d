import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { run, untilStatus } from '../process.js';
import { root } from '../root.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { createProject, pack } from './packed.js';

skipFileOnEmbedded();
t.setTimeout(120_000);

const maxBytes = 3_000_000;
const expectedFile =
  /^(LICENSE|README\.md|package\.json|prisma\.config\.ts|prisma\/(schema\.prisma|migrations\/.+)|dist\/(src|plugins|routes)\/.+\.(js|d\.ts)|dist\/dashboard\/.+)$/;

const directory = temporaryDirectory();
const { files, size, unpackedSize, filename } = pack(directory);
const tarball = join(directory, filename);

/** Compiles a project as its author would. */
function compile(directory: string) {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc], { cwd: directory, encoding: 'utf8' });
  return { status, stdout };
}

t.test('the package has what it needs, and neither tests, sources nor source maps', async (t) => {
  const paths = files.map(({ path }) => path);
  t.strictSame(
    paths.filter((path) => !expectedFile.test(path) || /\.(test\.|map$)/.test(path)),
    [],
  );
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

t.test('a service with its own routes compiles, passes its test, and starts', async (t) => {
  const directory = createProject(t, 'service', tarball);
  t.strictSame(compile(directory), { status: 0, stdout: '' });
  execFileSync(process.execPath, ['--test', 'dist/test/'], {
    cwd: directory,
    env: { ...process.env, NODE_OPTIONS: '' },
  });

  const admin = generateKey('mez');
  const service = run(join(directory, 'dist/src/server.js'), [], {
    ...(await createTestDatabase()),
    PORT: '0',
    HOST: '127.0.0.1',
    BOOTSTRAP_ADMIN_KEY: admin,
  });
  const [, url = ''] = await service.waitFor(/listening at (http:[^"]+)/);
  const send = async (path: string, key: string, body?: object) => {
    const response = await fetch(url + path, {
      method: body ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  };
  let created = await send('/v1/api-keys', admin, { name: 'reader', scopes: ['greetings:read'] });
  while (created.status !== 201)
    created = await send('/v1/api-keys', admin, { name: 'reader', scopes: ['greetings:read'] });
  t.strictSame(await send('/v1/greetings/Ada', created.body.key), { status: 200, body: { text: 'Hello, Ada' } });
  t.match(await send('/v1/greetings/Ada', 'wrong'), { status: 401 });
  const query = '/v1/request-logs?route=/v1/greetings/:name&statusCode=200';
  let rows = await send(query, admin);
  while (rows.body.data.length === 0) rows = await send(query, admin);
  t.match(rows.body.data, [{ path: '/v1/greetings/Ada', apiKeyId: created.body.id }]);
  t.match((await send('/documentation/json', admin)).body, { paths: { '/v1/greetings/{name}': Object } });
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);

  const invalid = run(join(directory, 'dist/src/server.js'), [], { PORT: 'x' });
  t.equal(await invalid.exited, 1);
  t.match(invalid.stderr(), /^musicez: PORT [^\n]+\n$/);
});

t.test('an application of its own uses some of the plugins, and a missing one is named at the start', async (t) => {
  const directory = createProject(t, 'plugins', tarball);
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
  t.match(
    stderr,
    /The dependency 'database' of plugin 'api-keys' is not registered|decorator .* required by 'api-keys'/,
  );
});
