import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { startApp } from '../../app.js';
import { needsCluster, startCluster } from '../../cluster.js';
import { createTestDatabase, requirePostgres } from '../../database.js';
import { freePort, run, startService, untilStatus } from '../../process.js';
import { temporaryDirectory } from '../../temporary-directory.js';
import { BreakableDatabase } from './proxy.js';

requirePostgres();

const key = generateKey('mez');
// Many starts of a service against several real clusters.
t.setTimeout(240_000);

/** Starts the service with a configuration that must fail. @returns its exit code and its output on stderr */
async function failedStart(variables: NodeJS.ProcessEnv) {
  const { DATA_DIR } = await createTestDatabase();
  const service = run('dist/src/server.js', [], { DATA_DIR, PORT: '0', LOG_LEVEL: 'fatal', ...variables });
  return { code: await service.exited, stderr: service.stderr() };
}

t.test(
  'TLS works as in libpq with a PostgreSQL server that has a private certificate authority',
  { skip: needsCluster },
  async (t) => {
    const directory = temporaryDirectory(t);
    const [ca, caKey, cert, certKey, request] = ['ca.pem', 'ca.key', 'cert.pem', 'cert.key', 'cert.csr'].map((name) =>
      join(directory, name),
    ) as [string, string, string, string, string];
    const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore', cwd: directory });
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      '/CN=authority',
      '-days',
      '2',
      '-keyout',
      caKey,
      '-out',
      ca,
    );
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
      '-keyout',
      certKey,
      '-out',
      request,
    );
    openssl(
      'x509',
      '-req',
      '-in',
      request,
      '-CA',
      ca,
      '-CAkey',
      caKey,
      '-CAcreateserial',
      '-days',
      '2',
      '-copy_extensions',
      'copy',
      '-out',
      cert,
    );
    chmodSync(directory, 0o755);
    chmodSync(certKey, 0o600);
    if (process.getuid?.() === 0) {
      const id = (option: string) => Number(execFileSync('id', [option, 'postgres']));
      chownSync(certKey, id('-u'), id('-g'));
    }
    const [port, plainPort] = [await freePort(), await freePort()];
    const listening = { listen_addresses: '127.0.0.1' };
    await startCluster(t, { ...listening, port, ssl: 'on', ssl_cert_file: cert, ssl_key_file: certKey });
    await startCluster(t, { ...listening, port: plainPort });
    const url = (params: string, host = 'localhost', onPort = port) =>
      `postgresql://postgres@${host}:${onPort}/postgres?${params}`;

    for (const [params, encrypted, host, onPort] of [
      ['sslmode=disable', false],
      ['sslmode=prefer', true],
      ['sslmode=require', true],
      [`sslmode=require&sslrootcert=${ca}`, true],
      [`sslmode=verify-ca&sslrootcert=${ca}`, true, '127.0.0.1'],
      [`sslmode=verify-full&sslrootcert=${ca}`, true],
      ['sslmode=prefer', false, 'localhost', plainPort],
    ] as const) {
      const { DATA_DIR } = await createTestDatabase();
      const app = await startApp({ DATA_DIR, DATABASE_URL: url(params, host, onPort) });
      const { rows } = await app.database.pool.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
      t.strictSame(rows, [{ ssl: encrypted }], params);
      await app.close();
    }

    for (const [params, message, host, onPort] of [
      ['sslmode=verify-full', /certificate authority with sslrootcert/],
      [`sslmode=verify-full&sslrootcert=${ca}`, /another host name/, '127.0.0.1'],
      ['sslmode=require', /the server has no TLS/, 'localhost', plainPort],
      ['sslmode=maybe', /sslmode must be one of/],
      ['sslmode=verify-full&sslrootcert=/nowhere', /sslrootcert cannot be read/],
    ] as const) {
      const { code, stderr } = await failedStart({ DATABASE_URL: url(params, host, onPort) });
      t.equal(code, 1, params);
      t.match(stderr, /^musicez: DATABASE_URL[^\n]*\n$/, params);
      t.match(stderr, message, params);
    }
  },
);

t.test('a permanent database error stops the start with one line', { skip: needsCluster }, async (t) => {
  const port = await freePort();
  const cluster = await startCluster(t, { listen_addresses: '127.0.0.1', port });
  await cluster.query('postgres', `CREATE ROLE app LOGIN PASSWORD 'right'`);
  await cluster.query('postgres', 'CREATE DATABASE used');
  await cluster.query('used', 'CREATE TABLE orders (id int)');
  await cluster.query('postgres', 'CREATE DATABASE strict');
  await cluster.query('strict', 'REVOKE CREATE ON SCHEMA public FROM PUBLIC');
  const url = (user: string, path: string) => `postgresql://${user}@127.0.0.1:${port}/${path}`;
  for (const [from, message] of [
    [url('postgres', 'used'), /schema "public" has tables of another application \("orders"\)/],
    [url('app', 'strict'), /permission denied for schema public: the role may not change this schema; grant CREATE/],
    [url('app', 'strict?schema=own'), /schema "own": permission denied for database/],
    [url('postgres', 'nowhere'), /database "nowhere" does not exist: [^\n]*create it/],
  ] as const) {
    const { code, stderr } = await failedStart({ DATABASE_URL: from });
    t.equal(code, 1);
    t.match(stderr, /^musicez: DATABASE_URL: [^\n]*\n$/);
    t.match(stderr, message);
  }
  const hba = await cluster.query('postgres', 'SHOW hba_file');
  await cluster.query(
    'postgres',
    `COPY (SELECT 'host all all all scram-sha-256' UNION SELECT 'local all all trust') TO '${hba}'`,
  );
  await cluster.query('postgres', 'SELECT pg_reload_conf()');
  const none = await failedStart({ DATABASE_URL: url('app', 'strict') });
  t.match(none, { code: 1, stderr: /^musicez: DATABASE_URL: [^\n]*asks for a password; add one to the URL\n$/ });
  const wrong = await failedStart({ DATABASE_URL: url('app:hunter2', 'strict') });
  t.match(wrong, { code: 1, stderr: /^musicez: DATABASE_URL: [^\n]*rejects the password[^\n]*\n$/ });
  t.notMatch(wrong.stderr, 'hunter2');
});

t.test(
  'a role that cannot change tables can run the service after another role has migrated',
  { skip: needsCluster },
  async (t) => {
    const port = await freePort();
    const cluster = await startCluster(t, { listen_addresses: '127.0.0.1', port });
    await cluster.query('postgres', 'CREATE DATABASE music');
    await cluster.query('postgres', 'CREATE ROLE app LOGIN');
    const url = (user: string) => `postgresql://${user}@127.0.0.1:${port}/music`;
    const restricted = { ...(await createTestDatabase()), DATABASE_URL: url('app'), MIGRATE_ON_START: 'false' };
    const early = await failedStart(restricted);
    t.match(early, { code: 1, stderr: /^musicez: the database lacks the migration [^\n]*prisma:migrate\n$/ });
    t.equal(await cluster.query('music', `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`), '0');

    const migration = run('dist/src/cli.js', ['migrate'], { DATABASE_URL: url('postgres') });
    t.equal(await migration.exited, 0, migration.stderr());
    for (const grant of grants) await cluster.query('music', grant);
    const service = await startService({ ...restricted, BOOTSTRAP_ADMIN_KEY: key });
    const headers = { 'x-api-key': key, 'content-type': 'application/json' };
    const create = { method: 'POST', headers, body: '{"name":"made"}' };
    const { id } = (await (await fetch(`${service.url}/v1/api-keys`, create)).json()) as { id: string };
    t.equal((await fetch(`${service.url}/v1/api-keys/${id}`, { method: 'DELETE', headers })).status, 204);
    const { headers: responseHeaders } = await fetch(`${service.url}/v1/me`, { headers });
    await untilStatus(`${service.url}/v1/request-logs/${responseHeaders.get('x-request-id')}`, 200, { headers });
    while (
      (await cluster.query(
        'music',
        `SELECT to_regclass('request_logs_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD'))`,
      )) === ''
    );
    t.notMatch(service.stdout(), /permission denied/);
  },
);

/** The grants in docs/operations.md. */
const grants = [
  'GRANT USAGE ON SCHEMA public TO app',
  'GRANT SELECT ON ALL TABLES IN SCHEMA public TO app',
  'GRANT INSERT, UPDATE, DELETE ON api_keys, owner_limits TO app',
  'GRANT INSERT ON api_key_events, request_logs TO app',
  'GRANT INSERT, UPDATE, DELETE ON retired_api_keys, request_stats, request_stats_by_key, key_usage, quota_usage, quota_thresholds, settled_batches TO app',
  'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO app',
];

t.test(
  'a read-only database is reported, and the service uses another database as soon as it replaces it',
  { skip: needsCluster },
  async (t) => {
    const ports = [await freePort(), await freePort()] as const;
    const [old, next] = [
      await startCluster(t, { listen_addresses: '127.0.0.1', port: ports[0] }),
      await startCluster(t, { listen_addresses: '127.0.0.1', port: ports[1] }),
    ];
    const urlOf = (port: number) => `postgresql://postgres@127.0.0.1:${port}/postgres`;
    for (const port of ports) {
      const migration = run('dist/src/cli.js', ['migrate'], { DATABASE_URL: urlOf(port) });
      t.equal(await migration.exited, 0, migration.stderr());
    }
    const address = new BreakableDatabase(urlOf(ports[0]));
    await address.listen();
    const own = { ...(await createTestDatabase()), DATABASE_URL: address.url, BOOTSTRAP_ADMIN_KEY: key };
    const service = await startService(own);
    const headers = { 'x-api-key': key, 'content-type': 'application/json' };
    const create = () => fetch(`${service.url}/v1/api-keys`, { method: 'POST', headers, body: '{"name":"made"}' });
    t.equal((await create()).status, 201);

    // Demote the primary; its connections stay open.
    await old.query('postgres', 'ALTER SYSTEM SET default_transaction_read_only TO on');
    await old.query('postgres', 'SELECT pg_reload_conf()');
    const denied = await untilStatus(`${service.url}/v1/api-keys`, 503, {
      method: 'POST',
      headers,
      body: '{"name":"made"}',
    });
    t.equal(denied.headers.get('retry-after'), '1');
    t.match(await denied.json(), { code: 'DATABASE_UNAVAILABLE' });
    const health = await untilStatus(`${service.url}/health`, 503);
    t.match(await health.json(), { checks: { database: { status: 'unhealthy', writable: false } } });
    t.equal((await fetch(`${service.url}/v1/me`, { headers })).status, 200, 'cached keys are accepted');

    const late = await startService(own);
    t.equal((await fetch(`${late.url}/v1/me`, { headers })).status, 200, 'a start with nothing to migrate works');

    // Before the database takes over: a lookup in between would deny the key, and throttle its address.
    await next.query(
      'postgres',
      `INSERT INTO api_keys (id, key, name, scopes, "updatedAt") VALUES ('moved', encode(sha256('${key}'), 'hex'), 'moved', '{admin}', now())`,
    );
    address.redirect(urlOf(ports[1]));
    await untilStatus(`${service.url}/v1/api-keys`, 201, { method: 'POST', headers, body: '{"name":"made"}' });
    await untilStatus(`${service.url}/health`, 200);
  },
);
