import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { version } from '../../src/config/index.js';
import { runShell } from '../checkout.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { contextOf, ignoreFileOf } from '../docker/dockerfile.js';
import { run } from '../process.js';
import { root } from '../root.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { install, pack, packLater } from './packed.js';

skipFileOnEmbedded();
t.setTimeout(120_000);

const packages = temporaryDirectory();
const tarball = join(packages, pack(packages).filename);
const installed = temporaryDirectory();
install(installed, tarball);

/** Runs `npx musicez init` in a directory, without tap's loader. */
function init(cwd: string, ...args: string[]) {
  const program = join(installed, 'node_modules/musicez/dist/src/cli.js');
  return spawnSync('env', ['NODE_OPTIONS=', process.execPath, program, 'init', ...args], { cwd, encoding: 'utf8' });
}

const project = join(temporaryDirectory(), 'my-orders');
const written = init(join(project, '..'), 'my-orders');

t.test('init writes a project, whose name is that of the directory', async (t) => {
  t.equal(written.status, 0, written.stderr);
  t.match(written.stdout, 'cd my-orders');
  const manifest = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
  const { dependencies, devDependencies, peerDependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  t.match(manifest, { name: 'my-orders', dependencies: { musicez: `^${version}` } });
  const ours = { ...dependencies, ...devDependencies, ...peerDependencies, musicez: `^${version}` };
  for (const [name, range] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }))
    t.equal(range, ours[name], `${name} has the version of this package`);
  for (const file of ['.gitignore', '.dockerignore', '.env.example', '.github/workflows/ci.yml'])
    t.ok(existsSync(join(project, file)), file);
  t.match(readFileSync(join(project, 'README.md'), 'utf8'), /^# my-orders\n/);
});

t.test('init overwrites nothing, and says what it needs', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'used/src'), { recursive: true });
  mkdirSync(join(directory, 'cloned/.git'), { recursive: true });
  t.equal(init(join(directory, 'cloned'), '.').status, 0, 'a new repository is empty');
  for (const [args, message] of [
    [['used'], /^musicez: \S+used cannot be used: it is not empty\n$/],
    [['My Service'], /^musicez: "My Service" cannot be the name of a package: [^\n]+\n$/],
    [[], /^musicez: init needs one directory, as in "npx musicez init my-service"\n$/],
    [['a', 'b'], /^musicez: init needs one directory/],
    [['--help'], /^$/],
  ] as const) {
    const { status, stderr } = init(directory, ...args);
    t.equal(status, args[0] === '--help' ? 0 : 1);
    t.match(stderr, message);
  }
});

t.test('the project compiles, and its tests pass on the embedded database', async (t) => {
  install(project, tarball);
  const { status, output } = runShell(project, 'npm test');
  t.equal(status, 0, output);
  t.match(output, /^. pass [1-9]/m);
});

/** Starts the project. @returns what sends requests with a key */
async function start(variables: NodeJS.ProcessEnv) {
  const service = run(join(project, 'dist/src/server.js'), [], { PORT: '0', HOST: '127.0.0.1', ...variables });
  const [, url = ''] = await service.waitFor(/listening at (http:[^"]+)/);
  const send = async (method: string, path: string, key: string, body?: object) => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  };
  while ((await send('GET', '/readyz', '')).status !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
  return { ...service, send };
}

const query = async (url: string | undefined, text: string) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(text);
  await client.end();
  return rows;
};

const later = `${Number(version.split('.')[0]) + 1}.0.0`;

t.test('the service has its own tables, and starts on the same data after an update of musicez', async (t) => {
  const admin = generateKey('mez');
  const database = await createTestDatabase({ migrated: false });
  const variables = { ...database, BOOTSTRAP_ADMIN_KEY: admin };
  let service = await start(variables);
  const created = await service.send('POST', '/v1/api-keys', admin, { name: 'app', scopes: ['greetings:*'] });
  t.equal(created.status, 201);
  const { key, id } = created.body;
  const greeting = { name: 'Ada', text: 'Hello, Ada' };
  const put = await service.send('PUT', '/v1/greetings/Ada', key, { text: greeting.text });
  t.strictSame(put, { status: 200, body: greeting });
  t.match(await service.send('GET', '/v1/greetings/Ada', 'wrong'), { status: 401 });
  t.match(await service.send('PUT', '/v1/greetings/Ada', key, { text: 'a\nb' }), {
    status: 400,
    body: { errors: [{ path: '/body/text' }] },
  });
  t.match(await service.send('GET', '/v1/greetings/nobody', key), { status: 404, body: { code: 'RECORD_NOT_FOUND' } });
  const logged = '/v1/request-logs?route=/v1/greetings/:name&method=PUT&statusCode=200';
  let rows = await service.send('GET', logged, admin);
  while (rows.body.data.length === 0) rows = await service.send('GET', logged, admin);
  t.match(rows.body.data, [{ path: '/v1/greetings/Ada', apiKeyId: id }]);
  t.match((await service.send('GET', '/documentation/json', admin)).body, {
    paths: { '/v1/greetings/{name}': Object },
  });
  t.strictSame(await query(database.DATABASE_URL, 'SELECT name, text FROM app.greetings'), [greeting]);
  const history = 'SELECT migration_name AS name FROM app._prisma_migrations';
  t.strictSame(await query(database.DATABASE_URL, history), [{ name: '20261128000000_greetings' }]);
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);

  install(project, packLater(tarball, temporaryDirectory(t), later));
  service = await start(variables);
  t.strictSame(await service.send('GET', '/v1/greetings/Ada', key), { status: 200, body: greeting });
  t.strictSame(await query(database.DATABASE_URL, 'SELECT count(*)::int FROM later'), [{ count: 0 }]);
  t.match((await service.send('GET', '/health', admin)).body, { version: later });
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
});

t.test('with MIGRATE_ON_START=false, its program migrate applies its migrations too', async (t) => {
  install(project, tarball);
  const database = { ...(await createTestDatabase()), MIGRATE_ON_START: 'false', PORT: '0' };
  const refused = run(join(project, 'dist/src/server.js'), [], database);
  t.equal(await refused.exited, 1);
  t.equal(
    refused.stderr(),
    `musicez: the database lacks the migration 20261128000000_greetings of ${join(project, 'prisma')}: call migrate() of the service; in one that "init" wrote: npm run migrate\n`,
  );
  const migrated = run(join(project, 'dist/src/migrate.js'), [], database);
  t.equal(await migrated.exited, 0);
  t.equal(migrated.stdout(), '20261128000000_greetings applied\n');
  const service = await start(database);
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
});

t.test('a failed migration says whose it is, and so does a wrong configuration', async (t) => {
  const broken = join(project, 'prisma/migrations/20261129000000_broken');
  t.teardown(() => rmSync(broken, { recursive: true, force: true }));
  mkdirSync(broken);
  const startWith = async (script: string | undefined, variables: NodeJS.ProcessEnv) => {
    if (script !== undefined) writeFileSync(join(broken, 'migration.sql'), script);
    const service = run(join(project, 'dist/src/server.js'), [], { ...variables, PORT: '0' });
    t.equal(await service.exited, 1);
    return service.stderr();
  };
  const database = await createTestDatabase();
  t.match(await startWith(undefined, database), /^musicez: migrations cannot be read: [^\n]+_broken[^\n]+\n$/);
  t.match(
    await startWith('ALTER TABLE nowhere ADD COLUMN x int', database),
    new RegExp(
      `^musicez: migration 20261129000000_broken of ${join(project, 'prisma')} failed: [^\n]*nowhere[^\n]*\n$`,
    ),
  );
  t.match(await startWith('', { PORT: '0', KEY_CACHE_TTL_MS: 'x' }), /^musicez: KEY_CACHE_TTL_MS [^\n]+\n$/);
});

t.test('the build of its image finds the files that it copies', async (t) => {
  const missing = contextOf(project).filter((path) => !existsSync(join(project, path)));
  t.strictSame(missing, ['package-lock.json'], 'which npm install writes');
  t.strictSame(ignoreFileOf(project).included.toSorted(), contextOf(project).toSorted());
});
