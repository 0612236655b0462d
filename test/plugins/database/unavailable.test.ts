import { connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import t from 'tap';
import { buildApp } from '../../../src/app.js';
import { loadConfig } from '../../../src/config/index.js';
import { needsCluster, startCluster } from '../../cluster.js';
import { createTestDatabase, requirePostgres } from '../../database.js';
import { freePort } from '../../process.js';

requirePostgres();

const sleep = 'SELECT pg_sleep(60)::text';

/** Ways to query the database. All except `/model` are so slow that the database can be stopped during the query. */
const ways: Record<string, (app: FastifyInstance) => Promise<unknown>> = {
  '/pool': (app) => app.database.pool.query(sleep),
  '/raw-query': (app) => app.prisma.$queryRawUnsafe(sleep),
  '/raw-statement': (app) => app.prisma.$executeRawUnsafe(sleep),
  '/model': (app) => app.prisma.apiKey.findMany(),
  '/batch': (app) => app.prisma.$transaction([app.prisma.$queryRawUnsafe(sleep), app.prisma.apiKey.findMany()]),
  '/transaction': (app) => app.prisma.$transaction((transaction) => transaction.$queryRawUnsafe(sleep)),
};

t.test(
  'any kind of query, over TCP or a Unix socket, returns 503 with Retry-After when the database stops',
  { skip: needsCluster },
  async (t) => {
    const port = await freePort();
    const cluster = await startCluster(t, { listen_addresses: '127.0.0.1', port });
    for (const [over, url] of Object.entries({
      TCP: `postgresql://postgres@127.0.0.1:${port}/postgres`,
      'a socket': cluster.url,
    })) {
      await t.test(over, async (t) => {
        const { DATA_DIR } = await createTestDatabase();
        const app = await buildApp(loadConfig({ LOG_LEVEL: 'silent', DATA_DIR, DATABASE_URL: url }));
        t.teardown(() => app.close());
        for (const [path, query] of Object.entries(ways)) app.get(path, async () => void (await query(app)));
        app.get('/elsewhere', async () => connectionTo(await freePort()));
        await app.ready();
        await app.database.ready;
        const requestAll = () =>
          Promise.all(Object.keys(ways).map(async (path) => ({ path, ...(await responseOf(app, path)) })));
        const each = (response: object) => Object.keys(ways).map((path) => ({ path, ...response }));
        const unavailable = each({ status: 503, code: 'DATABASE_UNAVAILABLE', retryAfter: '1' });

        // Some connections wait for a result. The others turn out to be broken when they are used again.
        const pending = requestAll();
        while (
          (await cluster.query('postgres', `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'`)) !==
          '5'
        );
        await cluster.stop('fast');
        t.strictSame(
          (await pending).filter(({ path }) => path !== '/model'),
          unavailable.filter(({ path }) => path !== '/model'),
          'during the queries',
        );
        t.strictSame(await requestAll(), unavailable, 'after the stop');
        t.match(
          await responseOf(app, '/elsewhere'),
          { status: 500 },
          'a connection error of another server is not an error of the database',
        );
        await cluster.start();
      });
    }
  },
);

async function responseOf(app: FastifyInstance, path: string) {
  const { statusCode: status, headers, body } = await app.inject(path);
  return { status, code: body && JSON.parse(body).code, retryAfter: headers['retry-after'] };
}

function connectionTo(port: number) {
  return new Promise((resolve, reject) => connect(port, '127.0.0.1').once('connect', resolve).once('error', reject));
}
