import pg from 'pg';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { keyHeaders, startApp } from '../../app.js';
import { createTestDatabase, requirePostgres } from '../../database.js';
import { startStopwatch } from '../../stopwatch.js';

requirePostgres();

t.test('a long lock on request_logs neither delays key lookups nor accumulates sessions', async (t) => {
  const own = await createTestDatabase();
  const app = await startApp(own);
  const headers = await keyHeaders(app, 'admin');
  const lockClient = new pg.Client(own.DATABASE_URL);
  await lockClient.connect();
  t.teardown(() => lockClient.end());
  await lockClient.query('BEGIN; LOCK TABLE request_logs IN ACCESS EXCLUSIVE MODE');
  const lists = Array.from({ length: 20 }, () => app.inject({ url: '/v1/request-logs', headers }).then(() => {}));
  // Long enough for several batches of the request log to reach their timeout of ten seconds.
  const lockedMs = 25_000;
  const until = performance.now() + lockedMs;
  for (let i = 0; performance.now() < until; i++) {
    const stopwatch = startStopwatch();
    const { statusCode } = await app.inject({
      url: '/v1/me',
      headers: { 'x-api-key': generateKey('mez') },
      remoteAddress: `10.0.${i >> 8}.${i & 255}`,
    });
    t.equal(statusCode, 401);
    t.ok(stopwatch() < 1_000, 'a lookup does not wait for the lock');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { rows } = await lockClient.query(
    `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'musicez'`,
  );
  t.ok(rows[0].n <= 11, `${rows[0].n} sessions`);
  const timeouts = await app.database.logPool.query('SHOW statement_timeout');
  t.strictSame(timeouts.rows, [{ statement_timeout: '10s' }], 'the server itself cancels long statements');
  await lockClient.query('ROLLBACK');
  await Promise.all(lists);
});
