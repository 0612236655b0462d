import pg from 'pg';
import t from 'tap';
import { openDatabase } from '../../../plugins/database/open.js';
import { loadConfig } from '../../../src/config/index.js';
import { clientOf, keyHeaders, startApp } from '../../app.js';
import { createTestDatabase, requirePostgres } from '../../database.js';
import { needsPgBouncer, startPgBouncer } from '../api-keys/pgbouncer.js';

requirePostgres();

t.test(
  'behind PgBouncer in transaction mode two services use only their own schemas',
  { skip: needsPgBouncer },
  async (t) => {
    const own = await createTestDatabase({ migrated: false });
    const url = await startPgBouncer(t, own.DATABASE_URL ?? '');
    const services = await Promise.all(
      ['one', 'two'].map(async (schema) => ({
        schema,
        app: await startApp({ ...(await createTestDatabase()), DATABASE_URL: `${url}?schema=${schema}` }),
      })),
    );
    await Promise.all(
      services.map(async ({ schema, app }) => {
        const request = clientOf(app, await keyHeaders(app, 'admin'));
        for (let i = 0; i < 100; i++) await request('GET', `/${schema}`);
        await app.requestLog.flush();
        t.equal((await request('GET', '/v1/request-logs/stats')).status, 200);
      }),
    );
    const client = new pg.Client(own.DATABASE_URL);
    await client.connect();
    t.teardown(() => client.end());
    for (const { schema, app } of services) {
      while (app.requestLog.counts.written < app.requestLog.counts.accepted) await app.requestLog.flush();
      const { rows } = await client.query(
        `SELECT path, count(*)::int AS n FROM ${schema}.request_logs WHERE path IN ('/one', '/two') GROUP BY 1`,
      );
      t.strictSame(rows, [{ path: `/${schema}`, n: 100 }]);
    }
  },
);

t.test(
  'behind PgBouncer a query that times out is cancelled on the server, so that no session keeps waiting',
  { skip: needsPgBouncer },
  async (t) => {
    const own = await createTestDatabase();
    const url = await startPgBouncer(t, own.DATABASE_URL ?? '');
    const database = openDatabase({ ...loadConfig({ ...own, DATABASE_URL: url }).database, queryTimeoutMs: 200 });
    t.teardown(() => database.close());
    const lockClient = new pg.Client(own.DATABASE_URL);
    await lockClient.connect();
    t.teardown(() => lockClient.end());
    await lockClient.query('BEGIN; LOCK TABLE api_keys');
    const waiting = async () => {
      const { rows } = await lockClient.query(
        `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows[0].n as number;
    };
    for (let round = 0; round < 5; round++)
      await Promise.all(
        Array.from({ length: 4 }, () => t.rejects(database.pool.query('SELECT FROM api_keys'), /read timeout/)),
      );
    while ((await waiting()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    t.pass('no session waits for the lock any more');
    await lockClient.query('ROLLBACK');
    t.strictSame((await database.pool.query('SELECT 1 AS one')).rows, [{ one: 1 }]);
  },
);
