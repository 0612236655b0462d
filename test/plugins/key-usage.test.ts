import t from 'tap';
import { clock } from '../../plugins/clock.js';
import { clientOf, startApp } from '../app.js';
import { createTestDatabase } from '../database.js';

const database = await createTestDatabase();
const app = await startApp(database);
const { pool } = app.database;

/** Creates a key with this time of last use, and returns functions to use it and to read the time. */
async function keyUsedAt(lastUsed: string | null) {
  const { id, key } = await app.apiKeys.create({ name: 'used' });
  await pool.query(`UPDATE api_keys SET "lastUsed" = ${lastUsed ?? 'NULL'} WHERE id = $1`, [id]);
  const read = async () => (await app.apiKeys.get(id)).lastUsed?.getTime() ?? null;
  return { id, read, before: await read(), request: clientOf(app, { 'x-api-key': key }) };
}

async function untilWritten() {
  await app.requestLog.flush();
  // `lastUsed` is stored on the same connections, after the batch.
  await new Promise((resolve) => setTimeout(resolve, 0));
  while (pool.waitingCount > 0 || pool.idleCount < pool.totalCount) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

t.test('the first use of a key is stored with the time of the request', async (t) => {
  const key = await keyUsedAt(null);
  const from = clock.now();
  await key.request('GET', '/v1/me');
  const until = clock.now();
  await untilWritten();
  const lastUsed = (await key.read()) ?? 0;
  t.ok(lastUsed >= from && lastUsed <= until, `${lastUsed} is from ${from} to ${until}`);
  const { updatedAt, createdAt } = await app.apiKeys.get(key.id);
  t.strictSame(updatedAt, createdAt, 'the use of a key does not change updatedAt');
});

t.test('lastUsed is stored at most once a minute, however many replicas use the key', async (t) => {
  const key = await keyUsedAt(`now() AT TIME ZONE 'UTC' - interval '50 seconds'`);
  await key.request('GET', '/v1/me');
  await untilWritten();
  t.equal(await key.read(), key.before, 'another replica wrote it 50 s ago');

  const idle = await keyUsedAt(`now() AT TIME ZONE 'UTC' - interval '70 seconds'`);
  await idle.request('GET', '/v1/me');
  await untilWritten();
  const first = await idle.read();
  t.ok((first ?? 0) > (idle.before ?? 0));
  for (let i = 0; i < 3; i++) {
    await idle.request('GET', '/v1/me');
    await untilWritten();
  }
  t.equal(await idle.read(), first);
});

t.test('a late batch never sets lastUsed to an earlier time', async (t) => {
  const key = await keyUsedAt(`now() AT TIME ZONE 'UTC' + interval '1 hour'`);
  await key.request('GET', '/v1/me');
  await untilWritten();
  t.equal(await key.read(), key.before);
});

t.test('a request does not wait until lastUsed is stored, even while the row is locked', async (t) => {
  const key = await keyUsedAt(null);
  // The embedded database has only one connection, so a lock would block every query.
  if (app.database.isEmbedded) return t.pass('the embedded database has no second session');
  const client = await pool.connect();
  await client.query('BEGIN');
  await client.query('SELECT FROM api_keys WHERE id = $1 FOR UPDATE', [key.id]);
  for (let i = 0; i < 3; i++) t.equal((await key.request('GET', '/v1/me')).status, 200);
  await app.requestLog.flush();
  t.equal(app.requestLog.counts.buffered, 0, 'the request log does not wait either');
  await client.query('COMMIT');
  client.release();
  await untilWritten();
  t.ok(await key.read());
});

t.test('a use just before a shutdown is stored', async (t) => {
  const other = await startAppOnce();
  const { id, key } = await other.apiKeys.create({ name: 'last' });
  await clientOf(other, { 'x-api-key': key })('GET', '/v1/me');
  await other.close();
  const again = app.database.isEmbedded ? await startAppOnce() : app;
  t.ok((await again.apiKeys.get(id)).lastUsed);
});

/** Closes the running service if the database is embedded, which only one service can open. Must be the last test. */
async function startAppOnce() {
  if (app.database.isEmbedded) await app.close();
  return startApp(database);
}
