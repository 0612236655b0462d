import pg from 'pg';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { openDatabase } from '../../../plugins/database/open.js';
import { loadConfig } from '../../../src/config/index.js';
import { createTestDatabase, requirePostgres } from '../../database.js';
import { startService, untilStatus } from '../../process.js';
import { BreakableDatabase } from './proxy.js';

requirePostgres();

const key = generateKey('mez');
const withKey = { headers: { 'x-api-key': key } };
const withUnknownKey = { headers: { 'x-api-key': generateKey('mez') } };

t.test(
  'a service waits for its database: it is alive, not ready and unhealthy, and becomes ready with the database',
  async (t) => {
    const own = await createTestDatabase();
    const database = new BreakableDatabase(own.DATABASE_URL ?? '');
    await database.listen();
    await database.break();
    const service = await startService(
      { ...own, DATABASE_URL: database.url, BOOTSTRAP_ADMIN_KEY: key },
      { ready: false },
    );
    await service.waitFor(/database unreachable, trying again/);
    const status = async (path: string, init?: RequestInit) => (await fetch(service.url + path, init)).status;
    t.equal(await status('/livez'), 200);
    t.equal(await status('/readyz'), 503);
    t.equal(await status('/health'), 503);
    const denied = await fetch(`${service.url}/v1/me`, withKey);
    t.equal(denied.status, 503);
    t.equal(denied.headers.get('retry-after'), '1');
    t.equal(await status('/nothing'), 404, 'a request that needs no database gets its response');

    await database.listen();
    await untilStatus(`${service.url}/readyz`, 200);
    t.equal(await status('/health'), 200);
    t.equal(await status('/v1/me', withKey), 200);
  },
);

t.test('connections that are frozen since a failover do not prevent a clean shutdown', async (t) => {
  const own = await createTestDatabase();
  const database = new BreakableDatabase(own.DATABASE_URL ?? '');
  await database.listen();
  const service = await startService({ ...own, DATABASE_URL: database.url, BOOTSTRAP_ADMIN_KEY: key });
  await untilStatus(`${service.url}/v1/me`, 200, withKey);
  database.freeze();
  // The pool uses its frozen connections first, so the first response comes over a new one.
  const responses = Array.from({ length: 12 }, () => fetch(`${service.url}/v1/api-keys`, withKey).catch(() => {}));
  await Promise.race(responses);
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
  await Promise.all(responses);
});

t.test(
  'records that are not written when a service stops during an outage are written by the next start',
  async (t) => {
    const own = await createTestDatabase();
    const database = new BreakableDatabase(own.DATABASE_URL ?? '');
    await database.listen();
    const variables = { ...own, BOOTSTRAP_ADMIN_KEY: key };
    const first = await startService({ ...variables, DATABASE_URL: database.url });
    await untilStatus(`${first.url}/v1/me`, 200, withKey);
    await database.break();
    const responses = await Promise.all(Array.from({ length: 50 }, () => fetch(`${first.url}/v1/me`, withKey)));
    first.child.kill('SIGTERM');
    t.equal(await first.exited, 0);
    const second = await startService(variables);
    for (const { headers } of responses)
      await untilStatus(`${second.url}/v1/request-logs/${headers.get('x-request-id')}`, 200, withKey);
  },
);

t.test(
  'while the database is down, cached keys are accepted, unknown ones get a 503, and no row is lost',
  async (t) => {
    const own = await createTestDatabase();
    const database = new BreakableDatabase(own.DATABASE_URL ?? '');
    await database.listen();
    const variables = {
      ...own,
      DATABASE_URL: database.url,
      BOOTSTRAP_ADMIN_KEY: key,
      KEY_CACHE_TTL_MS: '10',
      LOG_LEVEL: 'warn',
    };
    const service = await startService({ ...variables, LOG_LEVEL: 'info' });
    await untilStatus(`${service.url}/v1/me`, 200, withKey);

    await database.break();
    const ids: (string | null)[] = [];
    for (let i = 0; i < 20; i++) {
      const response = await fetch(`${service.url}/v1/me`, withKey);
      t.equal(response.status, 200);
      ids.push(response.headers.get('x-request-id'));
    }
    const unknownKeyDenied = await fetch(`${service.url}/v1/me`, withUnknownKey);
    t.equal(unknownKeyDenied.status, 503);
    t.match(await unknownKeyDenied.json(), { code: 'DATABASE_UNAVAILABLE' });
    const listing = await fetch(`${service.url}/v1/api-keys`, withKey);
    t.equal(listing.status, 503, 'a route that needs the database returns 503');
    t.equal(listing.headers.get('retry-after'), '1');
    t.match(await listing.json(), { code: 'DATABASE_UNAVAILABLE' });
    t.equal((await fetch(`${service.url}/health`)).status, 503);
    t.equal((await fetch(`${service.url}/readyz`)).status, 200, 'the replica is not taken out of service');

    await database.listen();
    await untilStatus(`${service.url}/health`, 200);
    for (const id of ids) await untilStatus(`${service.url}/v1/request-logs/${id}`, 200, withKey);
    t.equal((await fetch(`${service.url}/v1/me`, withUnknownKey)).status, 401);
  },
);

t.test('connections that are frozen since a failover are closed and replaced by new ones', async (t) => {
  const own = await createTestDatabase();
  const broken = new BreakableDatabase(own.DATABASE_URL ?? '');
  await broken.listen();
  const { database: options } = loadConfig({ ...own, DATABASE_URL: broken.url });
  const database = openDatabase({ ...options, queryTimeoutMs: 300 });
  t.teardown(() => database.close());
  const queryAll = () =>
    Promise.allSettled(Array.from({ length: database.pool.options.max }, () => database.pool.query('SELECT 1')));
  await queryAll();
  broken.freeze();
  t.ok(
    (await queryAll()).every(({ status }) => status === 'rejected'),
    'queries on frozen connections fail',
  );
  t.ok(
    (await queryAll()).every(({ status }) => status === 'fulfilled'),
    'queries on their replacements succeed',
  );
});

t.test('a start that loses its connections while it migrates continues with new connections', async (t) => {
  const own = await createTestDatabase({ migrated: false });
  const client = new pg.Client(own.DATABASE_URL);
  await client.connect();
  t.teardown(() => client.end());
  // Holds the start at the migration lock until its connections have been cut.
  await client.query('SELECT pg_advisory_lock(72707369)');
  const service = await startService(own, { ready: false });
  await service.waitFor(/migrations wait for a lock, trying again/);
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  );
  await client.query('SELECT pg_advisory_unlock(72707369)');
  await untilStatus(`${service.url}/readyz`, 200);
});

t.test('an export that the database interrupts is logged as an error, and its row has the status 503', async (t) => {
  const own = await createTestDatabase();
  const database = new BreakableDatabase(own.DATABASE_URL ?? '');
  await database.listen();
  const service = await startService({ ...own, DATABASE_URL: database.url, BOOTSTRAP_ADMIN_KEY: key });
  const direct = new pg.Client(own.DATABASE_URL);
  await direct.connect();
  await direct.query(
    `INSERT INTO request_logs (id, method, path, "statusCode", duration, ip)
       SELECT gen_random_uuid(), 'GET', repeat('/x', 400), 200, 1, '::1' FROM generate_series(1, 50000)`,
  );
  await direct.end();
  const response = await fetch(`${service.url}/v1/request-logs/export?format=ndjson`, withKey);
  const reader = response.body?.getReader();
  await reader?.read();
  await database.break();
  await t.rejects(async () => {
    while (!(await reader?.read())?.done);
  }, 'the client gets an error for the incomplete file');
  await service.waitFor(/"level":50[^\n]*"route":"\/v1\/request-logs\/export"/);
  await database.listen();
  const id = response.headers.get('x-request-id');
  const row = await untilStatus(`${service.url}/v1/request-logs/${id}`, 200, withKey);
  t.match(await row.json(), { statusCode: 503 });
});
