import type { InjectOptions } from 'fastify';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { clientOf, keyHeaders, startApp } from '../../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../../database.js';

skipFileOnEmbedded();

const app = await startApp(await createTestDatabase());
const id = '00000000-0000-4000-8000-000000000000';

/** The scope that each route requires; empty: any key; null: none. */
const required: Record<string, string | null> = {
  'GET /': null,
  'GET /health': null,
  'GET /livez': null,
  'GET /readyz': null,
  'GET /metrics': null,
  'GET /v1/me': '',
  'GET /v1/auth': '',
  'POST /v1/auth': '',
  'PUT /v1/auth': '',
  'PATCH /v1/auth': '',
  'DELETE /v1/auth': '',
  'OPTIONS /v1/auth': '',
  'TRACE /v1/auth': '',
  'POST /v1/api-keys': 'keys:write',
  'GET /v1/api-keys': 'keys:read',
  'GET /v1/api-keys/{id}': 'keys:read',
  'PATCH /v1/api-keys/{id}': 'keys:write',
  'DELETE /v1/api-keys/{id}': 'keys:write',
  'POST /v1/api-keys/{id}/rotate': 'keys:write',
  'GET /v1/api-keys/{id}/events': 'keys:read',
  'GET /v1/api-keys/{id}/limits': 'keys:read',
  'POST /v1/api-keys/import': 'keys:write',
  'GET /v1/api-keys/export': 'admin',
  'POST /v1/api-keys/verify': 'verify',
  'GET /v1/events': 'keys:read',
  'GET /v1/owners/{ownerId}/limits': 'keys:read',
  'PUT /v1/owners/{ownerId}/limits': 'keys:write',
  'GET /v1/usage': 'keys:read',
  'GET /v1/usage/owners': 'keys:read',
  'GET /v1/usage/limited': 'keys:read',
  'GET /v1/request-logs': 'logs:read',
  'GET /v1/request-logs/{id}': 'logs:read',
  'GET /v1/request-logs/export': 'logs:read',
  'GET /v1/request-logs/groups': 'logs:read',
  'GET /v1/request-logs/stats': 'logs:read',
  'GET /v1/request-logs/stats/keys': 'logs:read',
  'GET /v1/request-logs/stream': 'logs:read',
};

const kinds = [
  [],
  ['keys:read'],
  ['keys:write'],
  ['logs:read'],
  ['verify'],
  ['keys:*'],
  ['logs:*'],
  ['other:*'],
  ['admin'],
] as const;

/** Whether a key with these scopes may use a route, without the code that is tested. */
function mayUse(scopes: readonly string[], scope: string): boolean {
  const [group] = scope.split(':');
  return scope === '' || [scope, `${group}:*`, 'admin'].some((granted) => scopes.includes(granted));
}

/** A request to the route; of the stream only its start. */
async function statusOf(route: string, headers: Record<string, string>): Promise<number> {
  const [method = '', path = ''] = route.split(' ');
  const isStream = path.endsWith('/stream');
  const { statusCode } = await app.inject({
    // HEAD, which ends.
    method: (isStream ? 'HEAD' : method) as NonNullable<InjectOptions['method']>,
    url: path.replace(/\{\w+\}/, id),
    headers,
  });
  return statusCode;
}

t.test('every route requires its scope, of every kind of key', async (t) => {
  const { paths } = app.swagger() as { paths: Record<string, object> };
  const routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  t.strictSame(routes.toSorted(), Object.keys(required).toSorted(), 'the table has every route');
  for (const route of routes) {
    const scope = required[route];
    const isOpen = scope === null || scope === undefined;
    t.equal((await statusOf(route, {})) === 401, !isOpen, `${route} without a key`);
    const unknown = { 'x-api-key': generateKey('mez') };
    t.equal((await statusOf(route, unknown)) === 401, !isOpen, `${route} with an unknown key`);
  }
  for (const scopes of kinds) {
    const headers = await keyHeaders(app, ...scopes);
    for (const route of routes) {
      const scope = required[route];
      if (typeof scope !== 'string') continue;
      const status = await statusOf(route, headers);
      t.equal(status === 403, !mayUse(scopes, scope), `${route} with [${scopes}]: ${status}`);
    }
  }
});

t.test('a key cannot create, change, rotate, delete or restore a key with a scope that it lacks', async (t) => {
  const scopes = ['keys:read', 'keys:write', 'orders:*'];
  const limited = clientOf(app, await keyHeaders(app, ...scopes));
  const denied = { status: 403, body: { code: 'INSUFFICIENT_SCOPE' } };
  for (const scope of ['admin', 'logs:read', 'verify', 'keys:*', 'orders', 'order:read', 'other:*']) {
    t.match(await limited('POST', '/v1/api-keys', { name: 'more', scopes: [scope] }), denied, scope);
    const { id } = await app.apiKeys.create({ name: 'more', scopes: [scope] });
    const path = `/v1/api-keys/${id}`;
    for (const [method, suffix, body] of [
      ['PATCH', '', { name: 'renamed' }],
      ['PATCH', '', { scopes: [] }],
      ['PATCH', '', { active: false }],
      ['POST', '/rotate', { graceSeconds: 0 }],
      ['DELETE', '', undefined],
    ] as const)
      t.match(await limited(method, path + suffix, body), denied, `${method} ${suffix} of a key with ${scope}`);
    t.match(await app.apiKeys.get(id), { name: 'more', scopes: [scope], active: true, replacedBy: null });
  }
  for (const scope of ['keys:read', 'orders:read', 'orders:*', 'orders:items:*']) {
    const { status, body } = await limited('POST', '/v1/api-keys', { name: 'fewer', scopes: [scope] });
    t.equal(status, 201, scope);
    const path = `/v1/api-keys/${body.id}`;
    t.match(await limited('PATCH', path, { scopes: [scope, 'admin'] }), denied);
    t.equal((await limited('PATCH', path, { name: 'renamed' })).status, 200);
    t.equal((await limited('POST', `${path}/rotate`, { graceSeconds: 60 })).status, 201);
    t.equal((await limited('DELETE', path)).status, 204);
  }
});

t.test('a scope that ends in :* includes deeper levels, and nothing else', async (t) => {
  const { key } = await app.apiKeys.create({ name: 'wild', scopes: ['orders:*'] });
  const verifier = clientOf(app, await keyHeaders(app, 'verify'));
  for (const [scope, code] of [
    ['orders:read', 'VALID'],
    ['orders:items:read', 'VALID'],
    ['orders', 'INSUFFICIENT_SCOPE'],
    ['orders-archive:read', 'INSUFFICIENT_SCOPE'],
    ['admin', 'INSUFFICIENT_SCOPE'],
  ] as const)
    t.match((await verifier('POST', '/v1/api-keys/verify', { key, scope })).body, { code }, scope);
  const admin = clientOf(app, await keyHeaders(app, 'admin'));
  for (const scope of ['*', ':*', 'orders*', '*:read', 'orders:*:read', '**'])
    t.equal((await admin('POST', '/v1/api-keys', { name: 'wild', scopes: [scope] })).status, 400, scope);
});
