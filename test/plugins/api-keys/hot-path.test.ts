import { setImmediate as nextTurn } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { keyHeaders, startApp } from '../../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../../database.js';
import { run } from '../../process.js';

skipFileOnEmbedded();

const app = await startApp({ ...(await createTestDatabase()), RATE_LIMIT_PER_MINUTE: '1000000' });
const headers = await keyHeaders(app);
const createdAt = performance.now();

async function sendRequests(times: number) {
  for (let i = 0; i < times; i++) {
    // Yields like between requests from sockets; otherwise the service counts as overloaded.
    await nextTurn();
    const { statusCode } = await app.inject({ url: '/v1/me', headers });
    if (statusCode !== 200) throw new Error(`unexpected status ${statusCode}`);
  }
}

t.test('requests with a cached key cause no database query', async (t) => {
  // Waits for the notification about the new key, which removes it from the cache.
  while (app.database.createClient && app.apiKeys.cache.changesReceivedUntil < createdAt) await nextTurn();
  await sendRequests(1_000);
  await app.requestLog.flush();
  const queries: string[] = [];
  const { query } = pg.Client.prototype;
  t.intercept(pg.Client.prototype, 'query', {
    value(this: pg.Client, ...args: Parameters<typeof query>) {
      const [sql] = args as [string | pg.QueryConfig, ...unknown[]];
      queries.push(typeof sql === 'string' ? sql : sql.text);
      return query.apply(this, args);
    },
  });
  await sendRequests(1_000);
  await app.requestLog.flush();
  // Batches, heartbeats, key usage, the check for foreign keys and partition maintenance run meanwhile, and can need another
  // connection.
  const backgroundQueries =
    /INSERT INTO \S*request_logs|pg_notify|UPDATE \S*api_keys SET "lastUsed"|request_logs_add_days|request_logs_days_before|request_logs_drop_strays|DELETE FROM \S*request_stats|api_keys_have_foreign|DELETE FROM \S*key_usage|^SET |^BEGIN|^COMMIT/;
  t.ok(queries.length > 0);
  t.strictSame(
    queries.filter((sql) => !backgroundQueries.test(sql)),
    [],
  );
});

// Runs on PostgreSQL only, because it is slow and does not depend on the database.
t.test('requests do not leak memory', async (t) => {
  const measurement = run('test/plugins/api-keys/requests-and-heap.ts', [], await createTestDatabase());
  const [growth = ''] = await measurement.waitFor(/^\[.*\]$/m);
  // A leak grows the heap in every series of 3,000 requests; compiled code only in the first ones.
  t.ok(Math.min(...JSON.parse(growth)) < 250_000, growth);
});
