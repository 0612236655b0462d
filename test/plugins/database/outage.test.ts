import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
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
