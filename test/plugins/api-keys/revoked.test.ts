import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { streamWhileAllowed } from '../../../plugins/api-keys/stream-while-allowed.js';
import { buildApp } from '../../../src/app.js';
import { loadConfig } from '../../../src/config/index.js';
import { clientOf, keyHeaders, startApp } from '../../app.js';
import { createTestDatabase, needsPostgres, skipOnEmbedded } from '../../database.js';
import { startService } from '../../process.js';
import { startStopwatch } from '../../stopwatch.js';

const bootstrap = { name: 'bootstrap', scopes: ['admin'] };

const app = await startApp(await createTestDatabase());

// First: it requires that there is no other admin key.
t.test('the last admin key cannot be deleted or get an earlier expiry by mistake', async (t) => {
  const only = await app.apiKeys.create({ name: 'only', scopes: ['admin'] });
  const request = clientOf(app, { 'x-api-key': only.key });
  const soon = new Date(Date.now() + 1_000).toISOString();
  const denied = { status: 409, body: { code: 'LAST_ADMIN_KEY' } };
  t.match(await request('PATCH', `/v1/api-keys/${only.id}`, { expiresAt: soon }), denied);
  await app.apiKeys.create({ name: 'short', scopes: ['admin'], expiresAt: new Date(Date.now() + 60_000) });
  t.match(
    await request('DELETE', `/v1/api-keys/${only.id}`),
    denied,
    'a key that expires soon does not count as another admin key',
  );
  await app.apiKeys.create({ name: 'second', scopes: ['admin'] });
  t.match(await request('PATCH', `/v1/api-keys/${only.id}`, { expiresAt: soon }), { status: 200 });
});

t.test(
  'a deleted bootstrap key stays deleted when the service starts with it again',
  { skip: skipOnEmbedded },
  async (t) => {
    const key = generateKey('mez');
    const own = await createTestDatabase();
    const first = await startService({ ...own, BOOTSTRAP_ADMIN_KEY: key });
    const headers = { 'x-api-key': key, 'content-type': 'application/json' };
    const create = { method: 'POST', headers, body: '{"name":"second","scopes":["admin"]}' };
    const second = (await (await fetch(`${first.url}/v1/api-keys`, create)).json()) as { key: string };
    const { id } = (await (await fetch(`${first.url}/v1/me`, { headers })).json()) as { id: string };
    const removal = { method: 'DELETE', headers: { 'x-api-key': second.key } };
    t.equal((await fetch(`${first.url}/v1/api-keys/${id}`, removal)).status, 204);
    first.child.kill('SIGTERM');
    t.equal(await first.exited, 0);

    const again = await startService({ ...own, BOOTSTRAP_ADMIN_KEY: key });
    t.equal((await fetch(`${again.url}/v1/me`, { headers })).status, 401);
    t.match(again.stdout().match(/BOOTSTRAP_ADMIN_KEY names a revoked key/g), { length: 1 });
    again.child.kill('SIGTERM');
    t.equal(await again.exited, 0);

    const changed = await startService({ ...own, BOOTSTRAP_ADMIN_KEY: generateKey('mez') });
    t.notMatch(changed.stdout(), /revoked key/);
  },
);

t.test('adopting a deleted, disabled, expired, demoted or replaced key does not restore it', async (t) => {
  // The embedded database sends no notification of a change in SQL.
  const app = await startApp({ ...(await createTestDatabase()), KEY_CACHE_TTL_MS: '1' });
  await app.apiKeys.create({ name: 'admin', scopes: ['admin'] });
  const ways: Record<string, (id: string) => Promise<unknown>> = {
    deleted: (id) => app.apiKeys.remove(id),
    'deleted in SQL': (id) => app.database.pool.query('DELETE FROM api_keys WHERE id = $1', [id]),
    disabled: (id) => app.apiKeys.update(id, { active: false }),
    expired: (id) => app.apiKeys.update(id, { expiresAt: new Date(0) }),
    demoted: (id) => app.apiKeys.update(id, { scopes: [] }),
    'replaced in SQL': (id) => app.database.pool.query(`UPDATE api_keys SET key = 'other' WHERE id = $1`, [id]),
  };
  for (const [name, end] of Object.entries(ways)) {
    const key = generateKey('mez');
    t.equal(await app.apiKeys.adopt(key, bootstrap), 'adopted');
    t.equal(await app.apiKeys.adopt(key, bootstrap), 'present');
    const { body: me } = await clientOf(app, { 'x-api-key': key })('GET', '/v1/me');
    await end(me.id);
    t.equal(await app.apiKeys.adopt(key, bootstrap), 'revoked', name);
    t.not((await clientOf(app, { 'x-api-key': key })('GET', '/v1/api-keys')).status, 200, name);
  }
  const emptied = generateKey('mez');
  await app.apiKeys.adopt(emptied, bootstrap);
  await app.database.pool.query('TRUNCATE api_keys');
  t.equal(await app.apiKeys.adopt(emptied, bootstrap), 'revoked');
});

t.test('adoptedBefore returns the former bootstrap key after the variable changes', async (t) => {
  const [former, current] = [generateKey('mez'), generateKey('mez')];
  await app.apiKeys.adopt(former, bootstrap);
  await app.apiKeys.adopt(current, bootstrap);
  await app.apiKeys.create({ name: 'bootstrap', scopes: ['admin'] }, { actor: 'cli' });
  t.match(await app.apiKeys.adoptedBefore('bootstrap', current), [{ start: former.slice(0, 12) }]);
  t.equal((await app.apiKeys.adoptedBefore('bootstrap', current)).length, 1);
});

t.test('a key keeps working after API_KEY_PREFIX changes', async (t) => {
  const own = await createTestDatabase();
  const before = await startApp({ ...own, API_KEY_PREFIX: 'old' });
  const { key } = await before.apiKeys.create({ name: 'from before' });
  await before.close();
  const after = await startApp({ ...own, API_KEY_PREFIX: 'new' });
  t.equal((await clientOf(after, { 'x-api-key': key })('GET', '/v1/me')).status, 200);
  t.match(await after.apiKeys.create({ name: 'since' }), { key: /^new_/, start: /^new_.{8}$/ });
});

t.test('a rotated key can be rotated again after its successor is deleted', async (t) => {
  const old = await app.apiKeys.create({ name: 'turned' });
  const successor = await app.apiKeys.rotate(old.id, 3_600);
  await t.rejects(app.apiKeys.rotate(old.id, 60), { code: 'API_KEY_REPLACED' });
  await app.apiKeys.remove(successor.id);
  t.match(await app.apiKeys.rotate(old.id, 60), { replaces: old.id });
});

t.test('responses to requests with a key have Cache-Control: no-store', async (t) => {
  const headers = await keyHeaders(app, 'admin');
  await app.listen({ port: 0, host: '127.0.0.1' });
  const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  for (const [path, status] of [
    ['/v1/me', 200],
    ['/v1/api-keys', 200],
    ['/v1/request-logs', 200],
    ['/v1/auth', 204],
    ['/v1/api-keys/019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07', 404],
    ['/v1/api-keys?limit=0', 400],
  ] as const) {
    for (const response of [await app.inject({ url: path, headers }), await fetch(origin + path, { headers })]) {
      const read = (name: string) =>
        response instanceof Response ? response.headers.get(name) : response.headers[name];
      t.equal(response instanceof Response ? response.status : response.statusCode, status);
      t.equal(read('cache-control'), 'no-store', path);
      t.match(read('vary'), /authorization, x-api-key/, path);
    }
  }
});

t.test(
  'an unusual expiry date or DateStyle neither allows a key nor breaks the list of keys',
  { skip: needsPostgres },
  async (t) => {
    const own = await createTestDatabase();
    const app = await startApp(own);
    const admin = await keyHeaders(app, 'admin');
    const { id, key } = await app.apiKeys.create({ name: 'odd' });
    const { pool } = app.database;
    for (const odd of ['-infinity', '0044-03-15 00:00:00 BC', '294276-01-01'])
      await t.rejects(
        pool.query('UPDATE api_keys SET "expiresAt" = $1 WHERE id = $2', [odd, id]),
        { code: '23514' },
        odd,
      );
    await pool.query(`UPDATE api_keys SET "expiresAt" = 'infinity' WHERE id = $1`, [id]);
    t.match(await app.apiKeys.get(id), { expiresAt: null });

    // A database that is older than the constraint can have such dates.
    await pool.query('ALTER TABLE api_keys DROP CONSTRAINT api_keys_times_are_sane');
    for (const style of ['German', 'SQL, DMY', 'Postgres, MDY']) {
      await pool.query(
        `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET DateStyle TO ''${style}''', current_database()); END $$`,
      );
      const other = await startApp(own);
      for (const odd of ['-infinity', '0044-03-15 00:00:00 BC', '2020-01-01']) {
        await pool.query('UPDATE api_keys SET "expiresAt" = $1 WHERE id = $2', [odd, id]);
        const response = await other.inject({ url: '/v1/auth', headers: { 'x-api-key': key } });
        t.equal(response.statusCode, 401, `${odd} under ${style}`);
      }
      t.equal((await other.inject({ url: '/v1/api-keys', headers: admin })).statusCode, 200);
      await other.close();
    }
  },
);

t.test(
  'a stream ends within a second after its key is revoked, and the client gets an error',
  { skip: skipOnEmbedded },
  async (t) => {
    const app = await buildApp(loadConfig({ LOG_LEVEL: 'silent', ...(await createTestDatabase()) }));
    t.teardown(() => app.close());
    const connections = new Map<string, Socket>();
    app.get('/endless', { onRequest: app.requireApiKey('admin') }, async (request, reply) => {
      connections.set(request.id, request.raw.socket);
      async function* rows() {
        for (;;) yield `${'x'.repeat(1_000)}\n`;
      }
      reply.type('text/plain');
      return streamWhileAllowed(app, request, 'admin', rows());
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    await app.database.ready;
    await app.apiKeys.create({ name: 'other', scopes: ['admin'] });
    const { port } = app.server.address() as AddressInfo;
    for (const [isReading, end] of [
      [true, (id: string) => app.apiKeys.remove(id)],
      [false, (id: string) => app.apiKeys.update(id, { scopes: [] })],
      [true, (id: string) => app.apiKeys.update(id, { expiresAt: new Date(0) })],
    ] as const) {
      const { id, key } = await app.apiKeys.create({ name: 'exporter', scopes: ['admin'] });
      const outgoing = get(`http://127.0.0.1:${port}/endless`, { headers: { 'x-api-key': key } });
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      await once(response, 'readable');
      const closed = new Promise((resolve) => response.once('close', resolve));
      const failed = new Promise<Error>((resolve) => response.once('error', resolve));
      const requestId = String(response.headers['x-request-id']);
      const cut = new Promise((resolve) => connections.get(requestId)?.once('close', resolve));
      if (isReading) response.resume();
      await end(id);
      const stopwatch = startStopwatch();
      await cut;
      t.ok(stopwatch() < 1_000);
      response.resume();
      const error = await failed;
      await closed;
      t.match(error, { code: 'ECONNRESET' }, 'the response does not end normally');
      for (let row = null; row === null; ) {
        await app.requestLog.flush();
        row = await app.prisma.requestLog.findUnique({ where: { id: requestId } });
        if (row) t.ok([401, 403].includes(row.statusCode), `the row has ${row.statusCode}`);
      }
    }
  },
);
