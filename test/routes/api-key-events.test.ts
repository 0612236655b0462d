import t from 'tap';
import { PartitionMaintenance } from '../../plugins/request-log/stores/postgres/partition-maintenance.js';
import { clientOf, keyHeaders, startApp } from '../app.js';
import { createTestDatabase } from '../database.js';

const app = await startApp(await createTestDatabase());
const admin = clientOf(app, await keyHeaders(app, 'admin'));
const { pool } = app.database;

/** The events that match, two at a time, as "action by actor". */
async function eventsBy(query: string): Promise<string[]> {
  const events: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { status, body } = await admin('GET', `/v1/events?limit=2&${query}${cursor && `&cursor=${cursor}`}`);
    if (status !== 200) throw new Error(JSON.stringify(body));
    for (const { action, actor } of body.data) events.push(`${action} by ${actor}`);
    cursor = body.nextCursor;
  }
  return events;
}

t.test('the events of all keys, also of deleted ones, can be filtered', async (t) => {
  const { body: key } = await admin('POST', '/v1/api-keys', { name: 'watched', ownerId: 'acme' });
  await admin('PATCH', `/v1/api-keys/${key.id}`, { active: false });
  await app.apiKeys.update(key.id, { active: true }, { actor: 'cli' });
  await pool.query(`UPDATE api_keys SET name = 'renamed' WHERE id = $1`, [key.id]);
  await admin('PATCH', `/v1/api-keys/${key.id}`, { ownerId: 'other' });
  await admin('DELETE', `/v1/api-keys/${key.id}`);
  t.strictSame(await eventsBy('ownerId=acme'), [
    'updated by sql',
    'enabled by cli',
    'disabled by api-key',
    'created by api-key',
  ]);
  t.strictSame(await eventsBy('ownerId=other'), ['deleted by api-key', 'updated by api-key']);
  t.strictSame(await eventsBy('action=deleted'), ['deleted by api-key']);
  t.strictSame(await eventsBy('actor=sql'), ['updated by sql']);
  t.strictSame(await eventsBy('ownerId=acme&actor=api-key&action=disabled'), ['disabled by api-key']);
  const inOneSecond = new Date(Date.now() + 1_000).toISOString();
  t.strictSame(await eventsBy(`actor=sql&from=${inOneSecond}`), []);
  t.strictSame(await eventsBy(`actor=sql&to=${inOneSecond}`), ['updated by sql']);
  t.match((await admin('GET', '/v1/events?action=deleted')).body.data, [{ apiKeyId: key.id, ownerId: 'other' }]);
});

t.test('an invalid filter returns 400 with the name of the filter', async (t) => {
  for (const [query, path] of [
    ['action=renamed', '/querystring/action'],
    ['actor=me', '/querystring/actor'],
    ['from=x', '/querystring/from'],
  ] as const)
    t.match(await admin('GET', `/v1/events?${query}`), { status: 400, body: { errors: [{ path }] } });
});

t.test('events are kept for the configured number of days, and nothing else deletes them', async (t) => {
  const insert = (days: number) =>
    pool.query(
      `INSERT INTO api_key_events (id, "apiKeyId", action, actor, changes, "createdAt")
       VALUES (api_key_event_id(), 'old', 'created', 'sql', '{}', now() AT TIME ZONE 'UTC' - $1 * interval '1 day')`,
      [days],
    );
  const ages = async () =>
    (
      await pool.query(
        `SELECT (now() AT TIME ZONE 'UTC')::date - "createdAt"::date AS days FROM api_key_events
         WHERE "apiKeyId" = 'old' ORDER BY 1`,
      )
    ).rows.map(({ days }) => days);
  for (const days of [1, 29, 30, 31, 400]) await insert(days);
  const maintain = (eventsRetentionDays: number) =>
    new PartitionMaintenance(
      app.database,
      { retentionDays: 0, statsRetentionDays: 0, eventsRetentionDays },
      app.log,
    ).run();
  t.match(await maintain(0), { failures: 0 });
  t.strictSame(await ages(), [1, 29, 30, 31, 400]);
  t.match(await maintain(30), { failures: 0 });
  t.strictSame(await ages(), [1, 29, 30]);
  for (const sql of ['DELETE FROM api_key_events', `UPDATE api_key_events SET ip = ''`, 'TRUNCATE api_key_events'])
    await t.rejects(pool.query(sql), { code: '42501' }, sql);
  await pool.query(`SELECT api_key_events_expire('9999-01-01')`);
  t.ok((await admin('GET', '/v1/events')).body.data.length > 0, 'events of the current day are never deleted');
});

t.test('keys that expire within a week are counted, except keys that were rotated or disabled', async (t) => {
  const at = (days: number) => new Date(Date.now() + days * 86_400_000);
  await app.apiKeys.create({ name: 'soon', expiresAt: at(6) });
  await app.apiKeys.create({ name: 'later', expiresAt: at(8) });
  const disabled = await app.apiKeys.create({ name: 'disabled', expiresAt: at(6) });
  await app.apiKeys.update(disabled.id, { active: false });
  const rotated = await app.apiKeys.create({ name: 'rotated' });
  await app.apiKeys.rotate(rotated.id, 3_600);
  const gauge = async () => / *^musicez_keys_expiring (\S+)$/m.exec((await app.inject('/metrics')).body)?.[1];
  t.equal(await gauge(), 'Nan', 'before the first count');
  while ((await gauge()) === 'Nan') await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal(await gauge(), '1');
});
