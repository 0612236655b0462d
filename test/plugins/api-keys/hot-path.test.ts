import { setImmediate as nextTurn } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { keyHeaders, startApp } from '../../app.js';
import { needsPostgres, ownDatabase } from '../../database.js';
import { run } from '../../process.js';

const app = await startApp({ ...(await ownDatabase()), RATE_LIMIT_PER_MINUTE: '1000000' });
const headers = await keyHeaders(app);
const madeAt = performance.now();

async function ask(times: number) {
  for (let i = 0; i < times; i++) {
    // As it is between requests from sockets; else it counts as overloaded.
    await nextTurn();
    const { statusCode } = await app.inject({ url: '/v1/me', headers });
    if (statusCode !== 200) throw new Error(`answered ${statusCode}`);
  }
}

t.test('a cached key asks the database nothing', async (t) => {
  // Until it has heard that this key was made, for that makes it forget the key once.
  while (app.database.createClient && app.apiKeys.cache.heardUntil < madeAt) await nextTurn();
  await ask(1_000);
  await app.requestLog.flush();
  const asked: string[] = [];
  const { query } = pg.Client.prototype;
  t.intercept(pg.Client.prototype, 'query', {
    value(this: pg.Client, ...args: Parameters<typeof query>) {
      const [sql] = args as [string | pg.QueryConfig, ...unknown[]];
      asked.push(typeof sql === 'string' ? sql : sql.text);
      return query.apply(this, args);
    },
  });
  await ask(1_000);
  await app.requestLog.flush();
  // The log's batch, the listener's heartbeat, the key's use and the keeping of days go on meanwhile, and may need another
  // connection.
  const ours =
    /INSERT INTO request_logs|pg_notify|UPDATE api_keys SET "lastUsed"|request_logs_add_days|request_logs_days_before|request_logs_drop_strays|DELETE FROM request_stats|^SET search_path/;
  t.ok(asked.length > 0);
  t.strictSame(
    asked.filter((sql) => !ours.test(sql)),
    [],
  );
});

// Here only, for it takes its time and has nothing to do with the database.
t.test('requests leave nothing behind', { skip: needsPostgres }, async (t) => {
  const measurement = run('test/plugins/api-keys/requests-and-heap.ts', [], await ownDatabase());
  const [left = ''] = await measurement.waitFor(/^\[.*\]$/m);
  // What requests leave behind shows in every stretch of 3,000; code that is compiled meanwhile, in the first ones.
  t.ok(Math.min(...JSON.parse(left)) < 250_000, left);
});
