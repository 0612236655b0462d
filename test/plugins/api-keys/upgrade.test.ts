import { createHash, randomUUID } from 'node:crypto';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import type { Database } from '../../../plugins/database/open.js';
import { loadConfig } from '../../../src/config/index.js';
import { clientOf, startApp } from '../../app.js';
import { createTestDatabase, onPostgres } from '../../database.js';
import { openEarlier } from '../database/earlier.js';

/** Creates a key like the versions before owners. */
async function createEarlier({ pool, quotedSchema }: Database): Promise<{ id: string; key: string }> {
  const [id, key] = [randomUUID(), generateKey('mez')];
  const digest = createHash('sha256').update(key).digest('hex');
  await pool.query(
    `INSERT INTO ${quotedSchema}.api_keys (id, key, start, name, scopes, "updatedAt")
     VALUES ($1, $2, $3, 'earlier', '{admin}', now() AT TIME ZONE 'UTC')`,
    [id, digest, key.slice(0, 12)],
  );
  return { id, key };
}

t.test('keys of the version before owners work after the upgrade, and so do those that it still creates', async (t) => {
  const own = await createTestDatabase({ migrated: false });
  const { database: old } = await openEarlier(t, loadConfig(own).database, '20261127200000');
  const before = await createEarlier(old);
  // Only one process can open the embedded database.
  if (!onPostgres) await old.close();

  const app = await startApp(own);
  const keys = [before];
  if (onPostgres) {
    keys.push(await createEarlier(old));
    await old.close();
  }
  for (const { id, key } of keys) {
    const own = clientOf(app, { 'x-api-key': key });
    t.match((await own('GET', '/v1/me')).body, { id, ownerId: null, metadata: null });
    t.match((await own('GET', '/v1/api-keys?q=earlier')).body.data, { length: keys.length });
    t.match((await own('PATCH', `/v1/api-keys/${id}`, { ownerId: 'since' })).body, { ownerId: 'since' });
  }
});
