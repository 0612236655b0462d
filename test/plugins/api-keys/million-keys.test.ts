import { createHash } from 'node:crypto';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { buildApp } from '../../../src/app.js';
import { loadConfig } from '../../../src/config/index.js';
import { createTestDatabase, requirePostgres } from '../../database.js';
import { heapUsed } from '../../heap.js';

requirePostgres();

const totalKeys = 1_000_000;
const usedKeys = 100_000;
const concurrency = 50;
const maxEntries = 20_000;

t.setTimeout(300_000);

t.test('with a million keys, of which 100,000 are used, memory is bounded and lookups use the index', async (t) => {
  const variables = { ...(await createTestDatabase()), LOG_LEVEL: 'silent', KEY_CACHE_MAX_ENTRIES: `${maxEntries}` };
  // Client and service share an event loop here, so load shedding would reject requests.
  const app = await buildApp({ ...loadConfig(variables), loadShedding: { maxEventLoopDelayMs: 0 } });
  t.teardown(() => app.close());
  await app.ready();
  await app.database.ready;
  const { pool } = app.database;
  const keys = Array.from({ length: usedKeys }, () => generateKey('mez'));
  const digests = keys.map((key) => createHash('sha256').update(key).digest('hex'));
  const load = await pool.connect();
  await load.query(`SET session_replication_role = replica`);
  // The indexes of lists: writing them for a million keys would slow down the tests that run meanwhile.
  for (const name of ['search', 'scopes', 'unused', 'expiresAt', 'ownerId_id'])
    await load.query(`DROP INDEX "api_keys_${name}_idx"`);
  await load.query(
    `INSERT INTO api_keys (id, key, name, "updatedAt")
       SELECT gen_random_uuid(), digest, 'in use', now() FROM unnest($1::text[]) AS digest`,
    [digests],
  );
  for (let first = usedKeys; first < totalKeys; first += usedKeys) {
    await load.query(
      `INSERT INTO api_keys (id, key, name, "updatedAt")
         SELECT gen_random_uuid(), encode(sha256(i::text::bytea), 'hex'), 'idle', now()
         FROM generate_series($1::int + 1, $1 + $2) AS i`,
      [first, usedKeys],
    );
  }
  await load.query('ANALYZE api_keys');
  load.release(true);

  const send = (key: string) => app.inject({ url: '/v1/me', headers: { 'x-api-key': key } });
  const sendAll = async (some: string[]) => {
    const remaining = some.values();
    const errors: string[] = [];
    const worker = async () => {
      for (const key of remaining) {
        const { statusCode, body } = await send(key);
        if (statusCode !== 200) errors.push(body);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    return errors.slice(0, 10);
  };

  // Fills the cache, then uses four times as many other keys.
  t.strictSame(await sendAll(keys.slice(0, maxEntries)), []);
  t.equal(app.apiKeys.cache.entries, maxEntries);
  await app.requestLog.flush();
  const before = await heapUsed();
  t.strictSame(await sendAll(keys.slice(maxEntries)), []);
  t.equal(app.apiKeys.cache.entries, maxEntries);
  await app.requestLog.flush();
  const grown = (await heapUsed()) - before;
  t.comment(`heap: ${Math.round(before / 1e6)} MB, ${Math.round(grown / 1e6)} MB more after ${usedKeys} keys`);
  // A cached key takes about half a kilobyte, so the 80,000 other keys would take 40 MB.
  t.ok(grown < 15e6, `${grown} bytes more`);

  const { rows } = await pool.query<{ 'QUERY PLAN': string }>(
    `EXPLAIN SELECT id, name, scopes FROM api_keys WHERE key = '${digests[0]}' LIMIT 1`,
  );
  t.match(rows.map((row) => row['QUERY PLAN']).join('\n'), /Index (Only )?Scan using api_keys_key/);
  const scans = await pool.query(
    `SELECT seq_tup_read AS read, idx_scan AS scans FROM pg_stat_user_tables WHERE relname = 'api_keys'`,
  );
  t.ok(Number(scans.rows[0].scans) >= usedKeys);
  t.ok(Number(scans.rows[0].read) < totalKeys * 4, 'only loading and ANALYZE scan the whole table');
});
