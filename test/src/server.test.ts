import { once } from 'node:events';
import { connect } from 'node:net';
import pg from 'pg';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { createTestDatabase, needsPostgres, onPostgres, skipOnEmbedded } from '../database.js';
import { run, startService, untilStatus } from '../process.js';

const key = generateKey('mez');
const bearer = { headers: { authorization: `Bearer ${key}` } };

t.test(
  'an empty embedded database gets an admin key, printed once and never logged',
  { skip: onPostgres },
  async (t) => {
    const database = await createTestDatabase();
    const first = await startService(database);
    const [printed = ''] = /mez_\w{38}/.exec(first.stdout()) ?? [];
    const curl = /curl -H 'Authorization: Bearer (\S+)' (http:\S+)/.exec(first.stdout());
    t.equal(curl?.[1], printed);
    const response = await fetch(curl?.[2] ?? '', { headers: { authorization: `Bearer ${printed}` } });
    t.match(await response.json(), { name: 'first', scopes: ['admin'] });
    const logLines = first
      .stdout()
      .split('\n')
      .filter((line) => line.startsWith('{'));
    t.notMatch(logLines.join('\n') + first.stderr(), printed);
    first.child.kill('SIGTERM');
    t.equal(await first.exited, 0);

    const second = await startService(database);
    t.notMatch(second.stdout(), /mez_/);
  },
);

t.test('on SIGTERM under load requests get responses, every row is written, and the exit code is 0', async (t) => {
  const variables = { ...(await createTestDatabase()), BOOTSTRAP_ADMIN_KEY: key };
  const service = await startService({ ...variables, REQUEST_LOG_FLUSH_MS: '60000' });
  const ids: string[] = [];
  const clients = Array.from({ length: 8 }, async () => {
    for (;;) {
      const response = await fetch(`${service.url}/v1/me`, bearer).catch(() => undefined);
      if (!response) return;
      t.equal(response.status, 200);
      await response.text();
      ids.push(response.headers.get('x-request-id') ?? '');
      if (ids.length === 100) service.child.kill('SIGTERM');
    }
  });
  t.equal(await service.exited, 0);
  await Promise.all(clients);

  const again = await startService(variables);
  const found = await Promise.all(ids.map((id) => fetch(`${again.url}/v1/request-logs/${id}`, bearer)));
  t.strictSame(new Set(found.map(({ status }) => status)), new Set([200]));
  t.ok(ids.length >= 100);

  t.test('BOOTSTRAP_ADMIN_KEY creates one admin key, also over several starts, and is never logged', async (t) => {
    const { data } = (await (await fetch(`${again.url}/v1/api-keys`, bearer)).json()) as { data: unknown[] };
    t.match(data, [{ name: 'bootstrap', scopes: ['admin'] }]);
    t.equal(data.length, 1);
    for (const { stdout, stderr } of [service, again]) t.notMatch(stdout() + stderr(), key);
  });
});

t.test(
  'while the service drains, the readiness probe fails and responses close their connections',
  { skip: skipOnEmbedded },
  async (t) => {
    const service = await startService({ ...(await createTestDatabase()), SHUTDOWN_DELAY_MS: '60000' });
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    await once(socket, 'connect');
    service.child.kill('SIGTERM');
    await untilStatus(`${service.url}/readyz`, 503);
    t.match(await (await fetch(`${service.url}/readyz?verbose`)).json(), {
      status: 'not ready',
      checks: { draining: true },
    });
    t.equal((await fetch(`${service.url}/livez`)).status, 200);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [response] = await once(socket, 'data');
    t.match(String(response), /^HTTP\/1\.1 200 OK\r\n(.+\r\n)*connection: close\r\n/i);

    service.child.kill('SIGTERM');
    t.equal(await service.exited, 1, 'a second signal stops the service immediately');
  },
);

t.test('a service that still waits for its database stops with exit code 0', { skip: skipOnEmbedded }, async (t) => {
  const { DATA_DIR } = await createTestDatabase();
  const unreachable = 'postgresql://127.0.0.1:1/musicez';
  const service = await startService({ DATA_DIR, DATABASE_URL: unreachable }, { ready: false });
  await service.waitFor(/database unreachable, trying again/);
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0, 'the service closes before the deadline');
});

t.test(
  'invalid configuration is reported in one line with the variable, and exit code 1',
  { skip: skipOnEmbedded },
  async (t) => {
    const { DATA_DIR } = await createTestDatabase();
    const cases: [NodeJS.ProcessEnv, RegExp][] = [
      [
        { DATABASE_URL: 'mysql://root:hunter2@db/x' },
        /^musicez: DATABASE_URL must be a URL such as postgresql:[^\n]*\n$/,
      ],
      [{ HOST: 'nonsense.invalid' }, /^musicez: HOST cannot be used: getaddrinfo [^\n]*nonsense.invalid\n$/],
      [{ HOST: '192.0.2.1' }, /^musicez: HOST cannot be used: listen EADDRNOTAVAIL: [^\n]*\n$/],
      [{ DATA_DIR: '/dev/null/data' }, /^musicez: DATA_DIR cannot be used: [^\n]*\n$/],
    ];
    for (const [variables, line] of cases) {
      const service = run('dist/src/server.js', [], {
        DATA_DIR,
        DATABASE_URL: '',
        PORT: '0',
        LOG_LEVEL: 'fatal',
        ...variables,
      });
      t.equal(await service.exited, 1);
      t.match(service.stderr(), line);
      t.notMatch(service.stdout() + service.stderr(), 'hunter2');
    }
  },
);

t.test('a port that is in use is reported in one line, and exit code 1', { skip: skipOnEmbedded }, async (t) => {
  const service = await startService(await createTestDatabase());
  const { port } = new URL(service.url);
  const second = run('dist/src/server.js', [], {
    ...(await createTestDatabase()),
    HOST: '127.0.0.1',
    PORT: port,
    LOG_LEVEL: 'fatal',
  });
  t.equal(await second.exited, 1);
  t.match(second.stderr(), new RegExp(`^musicez: PORT cannot be used: listen EADDRINUSE: [^\n]*:${port}\n$`));
});

t.test(
  'a database that does not exist is reported in one line without the password, and exit code 1',
  { skip: needsPostgres },
  async (t) => {
    const url = new URL((await createTestDatabase()).DATABASE_URL ?? '');
    url.pathname = '/musicez_no_such_database';
    url.password = 'hunter2';
    const service = run('dist/src/server.js', [], { DATABASE_URL: url.href, PORT: '0', LOG_LEVEL: 'fatal' });
    t.equal(await service.exited, 1);
    t.match(service.stderr(), /^musicez: DATABASE_URL: [^\n]*does not exist: [^\n]*create it[^\n]*\n$/);
    t.notMatch(service.stdout() + service.stderr(), 'hunter2');
  },
);

t.test(
  'without a key on PostgreSQL the service logs the command that creates one',
  { skip: needsPostgres },
  async (t) => {
    const service = await startService(await createTestDatabase());
    t.match(service.stdout(), /npm run keys -- create --name ops --scope admin/);
  },
);

t.test('three replicas that start together migrate an empty database once', { skip: needsPostgres }, async (t) => {
  const database = await createTestDatabase({ migrated: false });
  const replicas = await Promise.all([1, 2, 3].map(() => startService(database)));
  const applied = replicas.flatMap((replica) => replica.stdout().match(/migration \S+ applied/g) ?? []);
  t.equal(new Set(applied).size, applied.length, 'each migration is applied by one replica');
  const client = new pg.Client(database.DATABASE_URL);
  await client.connect();
  t.teardown(() => client.end());
  const { rows: migrations } = await client.query('SELECT migration_name FROM _prisma_migrations');
  t.equal(migrations.length, applied.length);
  const { rows: versions } = await client.query(`SELECT version FROM system_health WHERE version <> '1.0.0'`);
  t.equal(versions.length, 1, 'system_health has one row for this version');
});
