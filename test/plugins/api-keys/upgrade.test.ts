import { createHash, randomUUID } from 'node:crypto';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import type { Database } from '../../../plugins/database/open.js';
import { loadConfig } from '../../../src/config/index.js';
import { clientOf, startApp } from '../../app.js';
import { createTestDatabase, onPostgres } from '../../database.js';
import { openEarlier } from '../database/earlier.js';

/** Creates a key like the earlier versions. */
async function createEarlier({ pool, quotedSchema }: Database): Promise<{ id: string; key: string }> {
  const [id, key] = [randomUUID(), generateKey('mez')];
  const digest = createHash('sha256').update(key).digest('hex');
  await pool.query(
    `INSERT INTO ${quotedSchema}.api_keys (id, key, start, name, scopes, "rateLimitPerMinute", "updatedAt")
     VALUES ($1, $2, $3, 'earlier', '{admin}', 4, now() AT TIME ZONE 'UTC')`,
    [id, digest, key.slice(0, 12)],
  );
  return { id, key };
}

for (const [feature, migration] of Object.entries({ owners: '20261127200000', limits: '20261127235000' }))
  t.test(
    `keys of the version before ${feature} work after the upgrade, and so do those that it still creates`,
    async (t) => {
      const own = await createTestDatabase({ migrated: false });
      const { database: old } = await openEarlier(t, loadConfig(own).database, migration);
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
        const rateLimits = [{ name: 'minute', limit: 4, windowSeconds: 60 }];
        t.match((await own('GET', '/v1/me')).body, { id, ownerId: null, metadata: null, rateLimits, quota: null });
        t.match((await own('GET', '/v1/api-keys?q=earlier')).body.data, { length: keys.length });
        const change = { ownerId: 'since', quota: { limit: 100, period: 'day' } };
        t.match((await own('PATCH', `/v1/api-keys/${id}`, change)).body, { ownerId: 'since', quota: { used: 0 } });
        t.match(await own('GET', '/v1/me'), { status: 200, body: { quota: { used: 1 } } });
        t.equal((await own('GET', '/v1/me')).status, 429);
      }
    },
  );
