import { AsyncLocalStorage } from 'node:async_hooks';
import pg from 'pg';
import t from 'tap';
import { createPool } from '../../../plugins/database/pool.js';
import { databaseConfig } from '../../../src/config/database.js';
import { startApp } from '../../app.js';
import { createTestDatabase, needsPostgres, onPostgres } from '../../database.js';

const variables = await createTestDatabase();
const app = await startApp(variables);

t.test('the pool uses the four numbers of the schema document', async (t) => {
  t.strictSame(databaseConfig, {
    connectionLimit: 10,
    connectionTimeout: 60_000,
    idleTimeout: 10_000,
    maxLifetime: 1_800_000,
  });
  const { options } = app.database.pool;
  t.equal(options.connectionTimeoutMillis, databaseConfig.connectionTimeout);
  t.equal(options.idleTimeoutMillis, databaseConfig.idleTimeout);
  t.equal(options.maxLifetimeSeconds, databaseConfig.maxLifetime / 1000, 'pg-pool counts it in seconds');
  const { pool, keyPool, logPool } = app.database;
  const sizes = [...new Set([pool, keyPool, logPool])].map(({ options: { max } }) => max);
  const total = sizes.reduce((sum, max) => sum + max, 0);
  t.equal(total, onPostgres ? databaseConfig.connectionLimit : 1, 'the embedded database has one session');
});

t.test('Prisma and the pool use the same database', async (t) => {
  const record = await app.apiKeys.create({ name: 'seen' });
  const { rows } = await app.database.pool.query('SELECT name FROM api_keys WHERE id = $1', [record.id]);
  t.strictSame(rows, [{ name: 'seen' }]);
});

t.test(
  'a query that waits for a connection runs in the context of its own request',
  { skip: needsPostgres },
  async (t) => {
    const { pool, end } = createPool(
      { connectionString: `${app.database.pool.options.connectionString}`, async onConnect() {} },
      { ...databaseConfig, connectionLimit: 1 },
      1_000,
    );
    t.teardown(end);
    const request = new AsyncLocalStorage<string>();
    const queries: unknown[] = [];
    pool.on('connect', (client) => {
      const { query } = client;
      t.intercept(client, 'query', {
        value(...args: unknown[]) {
          queries.push([args[0], request.getStore()]);
          return Reflect.apply(query, client, args);
        },
      });
    });
    await Promise.all([
      request.run('first', () => pool.query('SELECT 1')),
      request.run('second', () => pool.query('SELECT 2')),
      pool.query('SELECT 3'),
    ]);
    t.strictSame(queries, [
      ['SELECT 1', 'first'],
      ['SELECT 2', 'second'],
      ['SELECT 3', undefined],
    ]);
  },
);

t.test('concurrent queries, transactions and errors do not break the connections', async (t) => {
  await app.database.pool.query('CREATE TABLE numbers (n int PRIMARY KEY)');
  await Promise.all(
    Array.from({ length: 150 }, async (_, n) => {
      if (n % 3 === 0) await app.database.pool.query('SELECT * FROM nowhere').catch(() => {});
      else if (n % 3 === 1)
        await app.database.pool.query({ name: 'add', text: 'INSERT INTO numbers VALUES ($1)', values: [n] });
      else
        await app.prisma.$transaction([
          app.prisma.$executeRaw`INSERT INTO numbers VALUES (${n})`,
          app.prisma.systemHealth.count(),
        ]);
    }),
  );
  t.strictSame((await app.database.pool.query('SELECT count(*)::int AS n FROM numbers')).rows, [{ n: 100 }]);
});

t.test('a URL with ?schema= uses only that schema', { skip: needsPostgres }, async (t) => {
  const url = `${variables.DATABASE_URL}?schema=music`;
  const inSchema = await startApp({ ...variables, DATABASE_URL: url });
  await inSchema.apiKeys.create({ name: 'elsewhere' });
  const client = new pg.Client(variables.DATABASE_URL);
  await client.connect();
  t.teardown(() => client.end());
  t.strictSame((await client.query(`SELECT name FROM music.api_keys`)).rows, [{ name: 'elsewhere' }]);
  t.strictSame((await client.query(`SELECT name FROM public.api_keys WHERE name = 'elsewhere'`)).rows, []);
  await inSchema.inject('/nothing');
  await inSchema.requestLog.flush();
  t.strictSame((await client.query(`SELECT path FROM music.request_logs`)).rows, [{ path: '/nothing' }]);
});
