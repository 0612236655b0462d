import { createHash } from 'node:crypto';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { buildApp } from '../../../src/app.js';
import { loadConfig } from '../../../src/config/index.js';
import { needsPostgres, ownDatabase } from '../../database.js';
import { heapUsed } from '../../heap.js';

const inTable = 1_000_000;
const inUse = 100_000;
const concurrency = 50;
const maxEntries = 20_000;

t.setTimeout(300_000);

t.test(
  'with a million keys, a hundred thousand of them in use, memory is bounded and a lookup goes by the index',
  { skip: needsPostgres },
  async (t) => {
    const variables = { ...(await ownDatabase()), LOG_LEVEL: 'silent', KEY_CACHE_MAX_ENTRIES: `${maxEntries}` };
    // Who asks and who answers share an event loop here, and would take each other for an overload.
    const app = await buildApp({ ...loadConfig(variables), loadShedding: { maxEventLoopDelayMs: 0 } });
    t.teardown(() => app.close());
    await app.ready();
    await app.database.ready;
    const { pool } = app.database;
    const keys = Array.from({ length: inUse }, () => generateKey('mez'));
    const digests = keys.map((key) => createHash('sha256').update(key).digest('hex'));
    const load = await pool.connect();
    await load.query(`SET session_replication_role = replica`);
    await load.query(
      `INSERT INTO api_keys (id, key, name, "updatedAt")
       SELECT gen_random_uuid(), digest, 'in use', now() FROM unnest($1::text[]) AS digest`,
      [digests],
    );
    for (let first = inUse; first < inTable; first += inUse) {
      await load.query(
        `INSERT INTO api_keys (id, key, name, "updatedAt")
         SELECT gen_random_uuid(), encode(sha256(i::text::bytea), 'hex'), 'idle', now()
         FROM generate_series($1::int + 1, $1 + $2) AS i`,
        [first, inUse],
      );
    }
    await load.query('ANALYZE api_keys');
    load.release(true);

    const ask = (key: string) => app.inject({ url: '/v1/me', headers: { 'x-api-key': key } });
    const askAll = async (some: string[]) => {
      const left = some.values();
      const refusals: string[] = [];
      const worker = async () => {
        for (const key of left) {
          const { statusCode, body } = await ask(key);
          if (statusCode !== 200) refusals.push(body);
        }
      };
      await Promise.all(Array.from({ length: concurrency }, worker));
      return refusals.slice(0, 10);
    };

    // As many as are kept, and then five times as many.
    t.strictSame(await askAll(keys.slice(0, maxEntries)), []);
    t.equal(app.apiKeys.cache.entries, maxEntries);
    await app.requestLog.flush();
    const before = await heapUsed();
    t.strictSame(await askAll(keys.slice(maxEntries)), []);
    t.equal(app.apiKeys.cache.entries, maxEntries);
    await app.requestLog.flush();
    const grown = (await heapUsed()) - before;
    t.comment(`heap: ${Math.round(before / 1e6)} MB, ${Math.round(grown / 1e6)} MB more after ${inUse} keys`);
    // A key takes about half a kilobyte: the 80,000 that came after would be 40 MB.
    t.ok(grown < 15e6, `${grown} bytes more`);

    const { rows } = await pool.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN SELECT id, name, scopes FROM api_keys WHERE key = '${digests[0]}' LIMIT 1`,
    );
    t.match(rows.map((row) => row['QUERY PLAN']).join('\n'), /Index (Only )?Scan using api_keys_key/);
    const scans = await pool.query(
      `SELECT seq_tup_read AS read, idx_scan AS scans FROM pg_stat_user_tables WHERE relname = 'api_keys'`,
    );
    t.ok(Number(scans.rows[0].scans) >= inUse);
    t.ok(Number(scans.rows[0].read) < inTable * 4, 'the table was read through for loading and analysing only');
  },
);
