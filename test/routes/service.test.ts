import t from 'tap';
import { buildApp } from '../../src/app.js';
import { loadConfig, version } from '../../src/config/index.js';
import { clientOf, startApp } from '../app.js';
import { createTestDatabase } from '../database.js';

const app = await startApp(await createTestDatabase());
const request = clientOf(app, {});

t.test('the home route returns name and version, and links that exist', async (t) => {
  const { status, body } = await request('GET', '/');
  t.match({ status, body }, { status: 200, body: { name: 'musicez', version } });
  for (const link of Object.values<string>(body.links)) t.not((await app.inject(link)).statusCode, 404, link);
});

t.test('/health returns 200 with its checks while the database responds', async (t) => {
  const { status, body } = await request('GET', '/health');
  t.equal(status, 200);
  t.match(body, {
    status: 'healthy',
    version,
    uptimeSeconds: Number,
    timestamp: /Z$/,
    checks: {
      database: { status: 'healthy', latencyMs: Number },
      requestLog: { accepted: Number, written: Number, buffered: Number, dropped: Number },
      keyCache: { entries: Number },
    },
  });
});

t.test('/health reads system_health', async (t) => {
  await app.database.pool.query('ALTER TABLE system_health RENAME TO elsewhere');
  t.match(await request('GET', '/health'), { status: 503, body: { status: 'unhealthy' } });
  await app.database.pool.query('ALTER TABLE elsewhere RENAME TO system_health');
  t.equal((await request('GET', '/health')).status, 200);
});

t.test('/livez returns 200 for GET and HEAD', async (t) => {
  t.match(await request('GET', '/livez'), { status: 200, body: { status: 'live' } });
  t.equal((await app.inject({ method: 'HEAD', url: '/livez' })).statusCode, 200);
});

t.test('/readyz returns 503 until the service is warm, and lists its checks with ?verbose', async (t) => {
  t.match(await request('GET', '/readyz'), { status: 503, body: { status: 'not ready' } });
  const { body } = await request('GET', '/readyz?verbose');
  t.strictSame(body.checks, { migrated: true, warm: false, draining: false });
  app.health.markWarm();
  t.match(await request('GET', '/readyz'), { status: 200, body: { status: 'ready' } });
});

t.test('the OpenAPI document has every route, its common statuses and its security', async (t) => {
  const { body: document } = await request('GET', '/documentation/json');
  t.match(document, { openapi: /^3\./, info: { title: 'musicez', version } });
  t.strictSame(Object.keys(document.paths).sort(), [
    '/',
    '/health',
    '/livez',
    '/metrics',
    '/readyz',
    '/v1/api-keys',
    '/v1/api-keys/export',
    '/v1/api-keys/import',
    '/v1/api-keys/verify',
    '/v1/api-keys/{id}',
    '/v1/api-keys/{id}/events',
    '/v1/api-keys/{id}/limits',
    '/v1/api-keys/{id}/rotate',
    '/v1/auth',
    '/v1/events',
    '/v1/me',
    '/v1/owners/{ownerId}/limits',
    '/v1/request-logs',
    '/v1/request-logs/export',
    '/v1/request-logs/groups',
    '/v1/request-logs/stats',
    '/v1/request-logs/stats/keys',
    '/v1/request-logs/stream',
    '/v1/request-logs/{id}',
    '/v1/usage',
    '/v1/usage/limited',
    '/v1/usage/owners',
  ]);
  interface Operation {
    responses: object;
    security: unknown[];
    parameters?: { required: boolean; schema: { default?: unknown } }[];
  }
  for (const [path, operations] of Object.entries<Record<string, Operation>>(document.paths)) {
    for (const [method, { responses, security, parameters = [] }] of Object.entries(operations)) {
      const expected =
        path === '/v1/auth' ? ['204', '401', '403'] : path.startsWith('/v1/') ? ['400', '401', '429', '503'] : ['200'];
      t.ok(
        expected.every((status) => status in responses),
        `${method} ${path}`,
      );
      t.equal(security.length > 0, path.startsWith('/v1/'), `${method} ${path} says whether it needs a key`);
      t.notOk(
        parameters.some(({ required, schema }) => required && 'default' in schema),
        `${method} ${path} requires no parameter that has a default`,
      );
    }
  }
  t.match(document.components.schemas.Problem, { properties: { requestId: {}, errors: {} } });
});

t.test('the documentation page and its assets are served', async (t) => {
  const page = await app.inject('/documentation/');
  t.equal(page.statusCode, 200);
  t.match(page.headers['content-type'], 'text/html');
  const assets = [...page.body.matchAll(/(?:src|href)="\.?\/?(?:documentation\/)?([^":]+\.(?:js|css))"/g)].map(
    ([, path]) => path,
  );
  t.ok(assets.length > 2);
  for (const asset of assets) t.equal((await app.inject(`/documentation/${asset}`)).statusCode, 200);
});

t.test('request.apiKey on a route without authentication is an error', async (t) => {
  const other = await buildApp(loadConfig({ LOG_LEVEL: 'silent', ...(await createTestDatabase()) }));
  t.teardown(() => other.close());
  other.get('/open', async (request) => request.apiKey.id);
  t.equal((await other.inject('/open')).statusCode, 500);
});
