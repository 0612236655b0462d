import t from 'tap';
import { clientOf, startApp } from '../app.js';
import { ownDatabase } from '../database.js';

const database = await ownDatabase();
const app = await startApp(database);
const { pool } = app.database;

/** Makes a key with a history, and returns how to use it and what came of it. */
async function keyUsedAt(lastUsed: string | null) {
  const { id, key } = await app.apiKeys.create({ name: 'used' });
  await pool.query(`UPDATE api_keys SET "lastUsed" = ${lastUsed ?? 'NULL'} WHERE id = $1`, [id]);
  const read = async () => (await app.apiKeys.get(id)).lastUsed?.getTime() ?? null;
  return { id, read, before: await read(), request: clientOf(app, { 'x-api-key': key }) };
}

async function written() {
  await app.requestLog.flush();
  // The use is written on the same connections, after the batch.
  await new Promise((resolve) => setTimeout(resolve, 0));
  while (pool.waitingCount > 0 || pool.idleCount < pool.totalCount) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

t.test('the first use of a key is written, to the time of the request', async (t) => {
  const key = await keyUsedAt(null);
  const from = Date.now();
  await key.request('GET', '/v1/me');
  const until = Date.now();
  await written();
  const lastUsed = (await key.read()) ?? 0;
  t.ok(lastUsed >= from && lastUsed <= until, `${lastUsed} is from ${from} to ${until}`);
  const { updatedAt, createdAt } = await app.apiKeys.get(key.id);
  t.strictSame(updatedAt, createdAt, 'using a key does not change it');
});

t.test('within a minute a key is written once, however many replicas see it', async (t) => {
  const key = await keyUsedAt(`now() AT TIME ZONE 'UTC' - interval '50 seconds'`);
  await key.request('GET', '/v1/me');
  await written();
  t.equal(await key.read(), key.before, 'another replica has written it 50 s ago');

  const idle = await keyUsedAt(`now() AT TIME ZONE 'UTC' - interval '70 seconds'`);
  await idle.request('GET', '/v1/me');
  await written();
  const first = await idle.read();
  t.ok((first ?? 0) > (idle.before ?? 0));
  for (let i = 0; i < 3; i++) {
    await idle.request('GET', '/v1/me');
    await written();
  }
  t.equal(await idle.read(), first);
});

t.test('a late batch never turns lastUsed back', async (t) => {
  const key = await keyUsedAt(`now() AT TIME ZONE 'UTC' + interval '1 hour'`);
  await key.request('GET', '/v1/me');
  await written();
  t.equal(await key.read(), key.before);
});

t.test('a request does not wait for it, even while the row is locked', async (t) => {
  const key = await keyUsedAt(null);
  // On the embedded database there is one connection, and a lock is a lock on all.
  if (app.database.embedded) return t.pass('has no second session');
  const client = await pool.connect();
  await client.query('BEGIN');
  await client.query('SELECT FROM api_keys WHERE id = $1 FOR UPDATE', [key.id]);
  for (let i = 0; i < 3; i++) t.equal((await key.request('GET', '/v1/me')).status, 200);
  await app.requestLog.flush();
  t.equal(app.requestLog.counts.buffered, 0, 'nor does the request log');
  await client.query('COMMIT');
  client.release();
  await written();
  t.ok(await key.read());
});

t.test('what was used last before a stop is written too', async (t) => {
  const other = await startAppOnce();
  const { id, key } = await other.apiKeys.create({ name: 'last' });
  await clientOf(other, { 'x-api-key': key })('GET', '/v1/me');
  await other.close();
  const again = app.database.embedded ? await startAppOnce() : app;
  t.ok((await again.apiKeys.get(id)).lastUsed);
});

/** On the embedded database one service at a time; so this is the last test. */
async function startAppOnce() {
  if (app.database.embedded) await app.close();
  return startApp(database);
}
