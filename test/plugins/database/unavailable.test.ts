import { connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import t from 'tap';
import { buildApp } from '../../../src/app.js';
import { loadConfig } from '../../../src/config/index.js';
import { needsCluster, startCluster } from '../../cluster.js';
import { needsPostgres, ownDatabase } from '../../database.js';
import { freePort } from '../../process.js';

const sleep = 'SELECT pg_sleep(60)::text';

/** The ways to ask the database, but for one so slow that it can be stopped meanwhile. */
const ways: Record<string, (app: FastifyInstance) => Promise<unknown>> = {
  '/pool': (app) => app.database.pool.query(sleep),
  '/raw-query': (app) => app.prisma.$queryRawUnsafe(sleep),
  '/raw-statement': (app) => app.prisma.$executeRawUnsafe(sleep),
  '/model': (app) => app.prisma.apiKey.findMany(),
  '/batch': (app) => app.prisma.$transaction([app.prisma.$queryRawUnsafe(sleep), app.prisma.apiKey.findMany()]),
  '/transaction': (app) => app.prisma.$transaction((transaction) => transaction.$queryRawUnsafe(sleep)),
};

t.test(
  'whatever a route asks the database with, over TCP or a Unix socket: one that goes away is a 503 with Retry-After',
  { skip: needsPostgres || needsCluster },
  async (t) => {
    const port = await freePort();
    const cluster = await startCluster(t, { listen_addresses: '127.0.0.1', port });
    for (const [over, url] of Object.entries({
      TCP: `postgresql://postgres@127.0.0.1:${port}/postgres`,
      'a socket': cluster.url,
    })) {
      await t.test(over, async (t) => {
        const { DATA_DIR } = await ownDatabase();
        const app = await buildApp(loadConfig({ LOG_LEVEL: 'silent', DATA_DIR, DATABASE_URL: url }));
        t.teardown(() => app.close());
        for (const [path, ask] of Object.entries(ways)) app.get(path, async () => void (await ask(app)));
        app.get('/elsewhere', async () => connectionTo(await freePort()));
        await app.ready();
        await app.database.ready;
        const askAll = () =>
          Promise.all(Object.keys(ways).map(async (path) => ({ path, ...(await answerOf(app, path)) })));
        const each = (answer: object) => Object.keys(ways).map((path) => ({ path, ...answer }));
        const away = each({ status: 503, code: 'DATABASE_UNAVAILABLE', retryAfter: '1' });

        // Connections that wait for their answer, and others that turn out broken when they are used again.
        const asking = askAll();
        while (
          (await cluster.query('postgres', `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'`)) !==
          '5'
        );
        await cluster.stop('fast');
        t.strictSame(
          (await asking).filter(({ path }) => path !== '/model'),
          away.filter(({ path }) => path !== '/model'),
          'while it is asked',
        );
        t.strictSame(await askAll(), away, 'and after');
        t.match(await answerOf(app, '/elsewhere'), { status: 500 }, 'what is refused elsewhere is another matter');
        await cluster.start();
      });
    }
  },
);

async function answerOf(app: FastifyInstance, path: string) {
  const { statusCode: status, headers, body } = await app.inject(path);
  return { status, code: body && JSON.parse(body).code, retryAfter: headers['retry-after'] };
}

function connectionTo(port: number) {
  return new Promise((resolve, reject) => connect(port, '127.0.0.1').once('connect', resolve).once('error', reject));
}
