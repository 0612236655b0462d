import t from 'tap';
import { clientOf, keyHeaders, startApp } from '../app.js';
import { createTestDatabase } from '../database.js';

const app = await startApp(await createTestDatabase());
const request = clientOf(app, await keyHeaders(app, 'admin'));
const { body: admin } = await request('GET', '/v1/me');

async function create(fields: object) {
  const { body } = await request('POST', '/v1/api-keys', fields);
  return { ...body, path: `/v1/api-keys/${body.id}`, use: clientOf(app, { 'x-api-key': body.key }) };
}

async function eventsOf({ path }: { path: string }) {
  return (await request('GET', `${path}/events`)).body.data;
}

t.test('a rotated key has a successor with the same name, scopes, limit and expiry, and both are linked', async (t) => {
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  const old = await create({ name: 'turn', scopes: ['a', 'b'], rateLimitPerMinute: 600, expiresAt });
  const { status, headers, body } = await request('POST', `${old.path}/rotate`, { graceSeconds: 60 });
  t.match(
    { status, body },
    {
      status: 201,
      body: {
        name: 'turn',
        scopes: ['a', 'b'],
        rateLimitPerMinute: 600,
        expiresAt,
        replaces: old.id,
        replacedBy: null,
      },
    },
  );
  t.equal(headers.location, `/v1/api-keys/${body.id}`);
  t.not(body.key, old.key);
  const { body: after } = await request('GET', old.path);
  t.match(after, { replacedBy: body.id, active: true });
  const left = Date.parse(after.expiresAt) - Date.now();
  t.ok(left > 50_000 && left <= 60_000, `${left} ms of grace are left`);
  t.equal((await old.use('GET', '/v1/me')).status, 200, 'the old key still works');
  t.equal((await clientOf(app, { 'x-api-key': body.key })('GET', '/v1/me')).status, 200, 'the new key works');
});

t.test('without a grace period the old key expires immediately', async (t) => {
  const old = await create({ name: 'leaked' });
  t.equal((await old.use('GET', '/v1/me')).status, 200);
  t.equal((await request('POST', `${old.path}/rotate`, { graceSeconds: 0 })).status, 201);
  t.match(await old.use('GET', '/v1/me'), { status: 401, body: { code: 'API_KEY_EXPIRED' } });
});

t.test('a grace period never extends the expiry of a key', async (t) => {
  const expiresAt = new Date(Date.now() + 60_000).toISOString();
  const old = await create({ name: 'soon', expiresAt });
  t.equal((await request('POST', `${old.path}/rotate`, { graceSeconds: 3600 })).status, 201);
  t.match(await request('GET', old.path), { body: { expiresAt } });
});

t.test('a disabled or expired key cannot be rotated', async (t) => {
  const disabled = await create({ name: 'disabled' });
  await request('PATCH', disabled.path, { active: false });
  t.match(await request('POST', `${disabled.path}/rotate`, {}), { status: 409, body: { code: 'API_KEY_DEAD' } });
  const expired = await create({ name: 'expired' });
  await request('PATCH', expired.path, { expiresAt: '2020-01-01T00:00:00Z' });
  t.match(await request('POST', `${expired.path}/rotate`, {}), { status: 409, body: { code: 'API_KEY_DEAD' } });
  t.match(await request('POST', `/v1/api-keys/${crypto.randomUUID()}/rotate`, {}), { status: 404 });
});

t.test('of two concurrent rotations one succeeds, and the other gets the id of the successor', async (t) => {
  const old = await create({ name: 'raced' });
  const responses = await Promise.all([1, 2].map(() => request('POST', `${old.path}/rotate`, { graceSeconds: 5 })));
  const [won, lost] = responses.sort((a, b) => a.status - b.status);
  t.match(won, { status: 201 });
  t.match(lost, { status: 409, body: { code: 'API_KEY_REPLACED', detail: won?.body.id } });
});

t.test('an invalid grace period is rejected with the name of the field', async (t) => {
  const old = await create({ name: 'kept' });
  for (const graceSeconds of [-1, 1.5, '60', null, 2_592_001]) {
    const { status, body } = await request('POST', `${old.path}/rotate`, { graceSeconds });
    t.match({ status, errors: body.errors }, { status: 400, errors: [{ path: '/body/graceSeconds' }] });
  }
});

t.test('every change creates an event with its action, actor, address and changed fields', async (t) => {
  const key = await create({ name: 'watched', scopes: ['a'] });
  await request('PATCH', key.path, { name: 'renamed' });
  await request('PATCH', key.path, { active: false });
  await request('PATCH', key.path, { active: true });
  const { body: next } = await request('POST', `${key.path}/rotate`, { graceSeconds: 60 });
  await request('DELETE', key.path);

  const events = await eventsOf(key);
  const by = { apiKeyId: key.id, actor: 'api-key', actorKeyId: admin.id, ip: '127.0.0.1' };
  t.match(events, [
    { ...by, action: 'deleted', changes: { name: { from: 'renamed', to: null } } },
    { ...by, action: 'rotated', changes: { replacedBy: { from: null, to: next.id } } },
    { ...by, action: 'enabled', changes: { active: { from: false, to: true } } },
    { ...by, action: 'disabled', changes: { active: { from: true, to: false } } },
    { ...by, action: 'updated', changes: { name: { from: 'watched', to: 'renamed' } } },
    { ...by, action: 'created', changes: { name: { from: null, to: 'watched' }, scopes: { from: null, to: ['a'] } } },
  ]);
  t.strictSame(Object.keys(events[4].changes), ['name'], 'an event lists only the changed fields');
  t.notMatch(JSON.stringify(events), key.key);
  t.match(await eventsOf({ path: `/v1/api-keys/${next.id}` }), [{ changes: { replaces: { to: key.id } } }]);

  const [{ id: cursor }] = events;
  const page = await request('GET', `${key.path}/events?limit=2&cursor=${cursor}`);
  t.strictSame(page.body, { data: events.slice(1, 3), nextCursor: events[2].id });
});

t.test('a change in SQL creates an event, and the use of a key does not', async (t) => {
  const key = await create({ name: 'by hand' });
  await app.database.pool.query(`UPDATE api_keys SET active = false WHERE id = $1`, [key.id]);
  await app.database.pool.query(`UPDATE api_keys SET "lastUsed" = now() WHERE id = $1`, [key.id]);
  t.match(await eventsOf(key), [
    { action: 'disabled', actor: 'sql', actorKeyId: null, ip: null },
    { action: 'created' },
  ]);
});

t.test('a rejected change and a change without effect create no event', async (t) => {
  const key = await create({ name: 'steady' });
  await request('PATCH', key.path, { name: '' });
  await request('PATCH', key.path, { name: 'steady' });
  t.equal((await eventsOf(key)).length, 1);
});

t.test('events cannot be changed or removed, and the events of an unknown key return 404', async (t) => {
  for (const sql of [
    `UPDATE api_key_events SET action = 'x'`,
    'DELETE FROM api_key_events',
    'TRUNCATE api_key_events',
  ]) {
    await t.rejects(app.database.pool.query(sql), { message: 'api_key_events is append-only' }, sql);
  }
  t.match(await request('GET', `/v1/api-keys/${crypto.randomUUID()}/events`), { status: 404 });
});

t.test('the last active admin key cannot be removed, disabled, demoted or expired without force', async (t) => {
  const path = `/v1/api-keys/${admin.id}`;
  const denied = { status: 409, body: { code: 'LAST_ADMIN_KEY' } };
  // None of these keys counts as another admin key.
  const expired = await create({ name: 'expired', scopes: ['admin'] });
  await request('PATCH', expired.path, { expiresAt: '2020-01-01T00:00:00Z' });
  const disabled = await create({ name: 'disabled', scopes: ['admin'] });
  await request('PATCH', disabled.path, { active: false });
  const replaced = await create({ name: 'replaced', scopes: ['admin'] });
  const { body: successor } = await request('POST', `${replaced.path}/rotate`, { graceSeconds: 60 });
  t.equal((await request('DELETE', `/v1/api-keys/${successor.id}`)).status, 204);

  t.match(await request('DELETE', path), denied);
  t.match(await request('PATCH', path, { active: false }), denied);
  t.match(await request('PATCH', path, { scopes: ['read'] }), denied);
  t.match(await request('PATCH', path, { expiresAt: '2020-01-01T00:00:00Z' }), denied);
  t.match(await request('GET', path), { body: { active: true, scopes: ['admin'], expiresAt: null } });
  t.match(await request('PATCH', path, { name: 'still here' }), { status: 200 });

  const second = await create({ name: 'second', scopes: ['admin'] });
  const [one, other] = await Promise.all([request('DELETE', path), second.use('DELETE', second.path)]);
  t.strictSame(
    [one.status, other.status].sort(),
    [204, 409],
    'the last two admin keys cannot be deleted by two concurrent requests',
  );
  const last = one.status === 204 ? second.use : request;
  const { body: me } = await last('GET', '/v1/me');
  t.match(
    await last('DELETE', `/v1/api-keys/${me.id}?force=true`),
    { status: 204 },
    'force deletes the last admin key',
  );
});
