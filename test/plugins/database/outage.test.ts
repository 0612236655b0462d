import pg from 'pg';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { openDatabase } from '../../../plugins/database/open.js';
import { loadConfig } from '../../../src/config/index.js';
import { needsPostgres, ownDatabase } from '../../database.js';
import { startService, untilStatus } from '../../process.js';
import { BreakableDatabase } from './proxy.js';

const key = generateKey('mez');
const known = { headers: { 'x-api-key': key } };
const stranger = { headers: { 'x-api-key': generateKey('mez') } };

t.test(
  'a service waits for its database: alive, unready, unhealthy, and then ready',
  { skip: needsPostgres },
  async (t) => {
    const own = await ownDatabase();
    const database = new BreakableDatabase(own.DATABASE_URL ?? '');
    await database.mend();
    await database.break();
    const service = await startService(
      { ...own, DATABASE_URL: database.url, BOOTSTRAP_ADMIN_KEY: key },
      { ready: false },
    );
    await service.waitFor(/database unreachable, trying again.*\n(.*\n)*.*trying again/);
    const status = async (path: string, init?: RequestInit) => (await fetch(service.url + path, init)).status;
    t.equal(await status('/livez'), 200);
    t.equal(await status('/readyz'), 503);
    t.equal(await status('/health'), 503);
    const refused = await fetch(`${service.url}/v1/me`, known);
    t.equal(refused.status, 503);
    t.equal(refused.headers.get('retry-after'), '1');
    t.equal(await status('/nothing'), 404, 'what needs no database is served');

    await database.mend();
    await untilStatus(`${service.url}/readyz`, 200);
    t.equal(await status('/health'), 200);
    t.equal(await status('/v1/me', known), 200);
  },
);

t.test('a database that has not said a word since a failover holds up no stop', { skip: needsPostgres }, async (t) => {
  const own = await ownDatabase();
  const database = new BreakableDatabase(own.DATABASE_URL ?? '');
  await database.mend();
  const service = await startService({ ...own, DATABASE_URL: database.url, BOOTSTRAP_ADMIN_KEY: key });
  await untilStatus(`${service.url}/v1/me`, 200, known);
  database.freeze();
  // The connections that are there are asked first; one that is answered has a new one.
  const answers = Array.from({ length: 12 }, () => fetch(`${service.url}/v1/api-keys`, known).catch(() => {}));
  await Promise.race(answers);
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
  await Promise.all(answers);
});

t.test(
  'what waits when a service stops during an outage is written by the next one',
  { skip: needsPostgres },
  async (t) => {
    const own = await ownDatabase();
    const database = new BreakableDatabase(own.DATABASE_URL ?? '');
    await database.mend();
    const variables = { ...own, BOOTSTRAP_ADMIN_KEY: key };
    const first = await startService({ ...variables, DATABASE_URL: database.url });
    await untilStatus(`${first.url}/v1/me`, 200, known);
    await database.break();
    const answers = await Promise.all(Array.from({ length: 50 }, () => fetch(`${first.url}/v1/me`, known)));
    first.child.kill('SIGTERM');
    t.equal(await first.exited, 0);
    const second = await startService(variables);
    for (const { headers } of answers)
      await untilStatus(`${second.url}/v1/request-logs/${headers.get('x-request-id')}`, 200, known);
  },
);

t.test(
  'while the database is away known keys are served, strangers are told to come back, and no row is lost',
  { skip: needsPostgres },
  async (t) => {
    const own = await ownDatabase();
    const database = new BreakableDatabase(own.DATABASE_URL ?? '');
    await database.mend();
    const variables = {
      ...own,
      DATABASE_URL: database.url,
      BOOTSTRAP_ADMIN_KEY: key,
      KEY_CACHE_TTL_MS: '10',
      LOG_LEVEL: 'warn',
    };
    const service = await startService({ ...variables, LOG_LEVEL: 'info' });
    await untilStatus(`${service.url}/v1/me`, 200, known);

    await database.break();
    const ids: (string | null)[] = [];
    for (let i = 0; i < 20; i++) {
      const answer = await fetch(`${service.url}/v1/me`, known);
      t.equal(answer.status, 200);
      ids.push(answer.headers.get('x-request-id'));
    }
    const turnedAway = await fetch(`${service.url}/v1/me`, stranger);
    t.equal(turnedAway.status, 503);
    t.match(await turnedAway.json(), { code: 'DATABASE_UNAVAILABLE' });
    const listing = await fetch(`${service.url}/v1/api-keys`, known);
    t.equal(listing.status, 503, 'a route that needs the database says so');
    t.equal(listing.headers.get('retry-after'), '1');
    t.match(await listing.json(), { code: 'DATABASE_UNAVAILABLE' });
    t.equal((await fetch(`${service.url}/health`)).status, 503);
    t.equal((await fetch(`${service.url}/readyz`)).status, 200, 'the replica is not taken out of service');

    await database.mend();
    await untilStatus(`${service.url}/health`, 200);
    for (const id of ids) await untilStatus(`${service.url}/v1/request-logs/${id}`, 200, known);
    t.equal((await fetch(`${service.url}/v1/me`, stranger)).status, 401);
  },
);

t.test(
  'connections that a failover has left without an answer are given up, and new ones take their place',
  { skip: needsPostgres },
  async (t) => {
    const own = await ownDatabase();
    const broken = new BreakableDatabase(own.DATABASE_URL ?? '');
    await broken.mend();
    const { database: options } = loadConfig({ ...own, DATABASE_URL: broken.url });
    const database = openDatabase({ ...options, queryTimeoutMs: 300 });
    t.teardown(() => database.close());
    const askAll = () => Promise.allSettled(Array.from({ length: 10 }, () => database.pool.query('SELECT 1')));
    await askAll();
    broken.freeze();
    t.ok(
      (await askAll()).every(({ status }) => status === 'rejected'),
      'the ten frozen ones',
    );
    t.ok(
      (await askAll()).every(({ status }) => status === 'fulfilled'),
      'and the ten that replace them',
    );
  },
);

t.test(
  'a start that loses its connections while it migrates goes on when they are back',
  { skip: needsPostgres },
  async (t) => {
    const own = await ownDatabase({ migrated: false });
    const client = new pg.Client(own.DATABASE_URL);
    await client.connect();
    t.teardown(() => client.end());
    // Holds the start at the migration lock until its connections have been cut.
    await client.query('SELECT pg_advisory_lock(72707369)');
    const service = await startService(own, { ready: false });
    const waiting = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`;
    while ((await client.query(waiting)).rowCount === 0);
    await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    await service.waitFor(/database unreachable, trying again/);
    await client.query('SELECT pg_advisory_unlock(72707369)');
    await untilStatus(`${service.url}/readyz`, 200);
  },
);
