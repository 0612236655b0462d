import pg from 'pg';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { createTestDatabase, needsPostgres, skipOnEmbedded } from '../database.js';
import { BreakableDatabase } from '../plugins/database/proxy.js';
import { startService } from '../process.js';
import { needsClickHouse, TestClickHouse } from './server.js';

const admin = generateKey('mez');
const skip =
  needsClickHouse || (TestClickHouse.canStop ? false : 'the server of TEST_CLICKHOUSE_URL cannot be stopped');

type Service = Awaited<ReturnType<typeof startService>>;

function clientOf({ url }: Service, key = admin) {
  return async (path: string, body?: object) => {
    const response = await fetch(url + path, {
      method: body ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  };
}

async function until(condition: () => Promise<boolean>) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** What was settled of all quotas. */
async function settledIn(url: string | undefined): Promise<number> {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query('SELECT coalesce(sum(used), 0)::int AS used FROM quota_usage');
  await client.end();
  return rows[0].used;
}

/** What the log, the statistics, the usage and the quota of a key count. */
async function countsOf(service: Service, keyId: string) {
  const send = clientOf(service);
  let rows = 0;
  for (let cursor = ''; ; ) {
    const { body } = await send(`/v1/request-logs?apiKeyId=${keyId}&limit=100${cursor}`);
    rows += body.data.length;
    if (!body.nextCursor) break;
    cursor = `&cursor=${body.nextCursor}`;
  }
  const stats = await send('/v1/request-logs/stats?route=/v1/me');
  const usage = await send(`/v1/usage?apiKeyId=${keyId}`);
  const key = await send(`/v1/api-keys/${keyId}`);
  return {
    rows,
    stats: stats.body.total.count,
    usage: usage.body.total.count,
    quota: key.body.quota.used,
  };
}

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  t.test(
    `each request is stored and counted once, through an outage of ClickHouse and ${signal}`,
    { skip: skip || (signal === 'SIGKILL' && needsPostgres) },
    async (t) => {
      const clickHouse = await TestClickHouse.start(t);
      const variables = {
        ...(await createTestDatabase()),
        REQUEST_LOG_URL: clickHouse.url,
        REQUEST_LOG_FLUSH_MS: '20',
        BOOTSTRAP_ADMIN_KEY: admin,
      };
      const first = await startService(variables);
      await first.waitFor(/stored in ClickHouse/);
      const quota = { limit: 1_000, period: 'month' };
      const { body: metered } = await clientOf(first)('/v1/api-keys', { name: 'metered', quota });
      let sent = 0;
      const use = async (service: Service, times: number) => {
        for (let i = 0; i < times; i++, sent++) t.equal((await clientOf(service, metered.key)('/v1/me')).status, 200);
      };
      const healthOf = async (service: Service) => (await clientOf(service)('/health')).body;
      await use(first, 40);
      t.match(await healthOf(first), { checks: { requestLog: { store: 'clickhouse', writable: true } } });

      await clickHouse.stop();
      await use(first, 40);
      await until(async () => (await healthOf(first)).checks.requestLog.writable === false);
      t.match(await healthOf(first), { status: 'healthy' });
      t.match(await clientOf(first)('/v1/request-logs'), { status: 503, body: { code: 'DATABASE_UNAVAILABLE' } });
      if (signal === 'SIGKILL') {
        await until(async () => {
          const { buffered } = (await healthOf(first)).checks.requestLog;
          // The record of this check itself may wait.
          return buffered <= 1;
        });
        await until(async () => (await settledIn(variables.DATABASE_URL)) === sent);
      }
      first.child.kill(signal);
      await first.exited;

      const second = await startService(variables);
      await use(second, 20);
      const { body: limits } = await clientOf(second)(`/v1/api-keys/${metered.id}/limits`);
      t.equal(limits.quota.used, sent, 'the quota counts what another process has spooled');
      await until(async () => (await healthOf(second)).checks.requestLog.buffered <= 1);
      await clickHouse.restart();
      await second.waitFor(/stored in ClickHouse/);
      await use(second, 20);
      const expected = { rows: sent, stats: sent, usage: sent, quota: sent };
      await until(async () => (await healthOf(second)).checks.requestLog.spooled === 0);
      await until(async () => (await countsOf(second, metered.id)).rows >= sent);
      t.strictSame(await countsOf(second, metered.id), expected);
      second.child.kill('SIGTERM');
      t.equal(await second.exited, 0);
    },
  );
}

t.test(
  'an outage at the start delays nothing, and the log has neither user nor password',
  { skip: skipOnEmbedded },
  async (t) => {
    const service = await startService({
      ...(await createTestDatabase()),
      REQUEST_LOG_URL: 'clickhouse://somebody:hunter2@127.0.0.1:1/log',
      BOOTSTRAP_ADMIN_KEY: admin,
    });
    const [line] = await service.waitFor(/^.*ClickHouse does not answer.*$/m);
    t.match(JSON.parse(line), { level: 40, address: '127.0.0.1:1/log', reason: String });
    const send = clientOf(service);
    t.equal((await send('/v1/me')).status, 200);
    await until(async () => (await send('/health')).body.checks.requestLog.spooled > 0);
    t.equal((await send('/health')).body.checks.requestLog.writable, false);
    const metrics = await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${admin}` } });
    t.match(await metrics.text(), 'musicez_request_log_store_writable{store="clickhouse"}');
    service.child.kill('SIGTERM');
    t.equal(await service.exited, 0);
    t.notMatch(service.stdout() + service.stderr(), /somebody|hunter2/);
  },
);

t.test('without REQUEST_LOG_URL, the client of ClickHouse is not loaded', { skip: skipOnEmbedded }, async (t) => {
  const print = `
    import { createRequire } from 'node:module';
    import { isMainThread } from 'node:worker_threads';
    if (isMainThread) process.on('exit', () => {
      console.log('loaded', Object.keys(createRequire('/').cache).filter((file) => file.includes('@clickhouse')).length);
    });`;
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(print)}`;
  const loadedWith = async (variables: NodeJS.ProcessEnv) => {
    const service = await startService({ ...(await createTestDatabase()), ...variables, NODE_OPTIONS });
    service.child.kill('SIGTERM');
    await service.exited;
    return Number(/^loaded (\d+)$/m.exec(service.stdout())?.[1]);
  };
  t.equal(await loadedWith({}), 0);
  t.ok((await loadedWith({ REQUEST_LOG_URL: 'clickhouse://127.0.0.1:1/log' })) > 0);
});

t.test(
  'the log goes on while PostgreSQL is down, and quotas are settled after it',
  { skip: skip || needsPostgres },
  async (t) => {
    const clickHouse = await TestClickHouse.start(t);
    const own = await createTestDatabase();
    const database = new BreakableDatabase(own.DATABASE_URL ?? '');
    await database.listen();
    const service = await startService({
      ...own,
      DATABASE_URL: database.url,
      REQUEST_LOG_URL: clickHouse.url,
      REQUEST_LOG_FLUSH_MS: '20',
      BOOTSTRAP_ADMIN_KEY: admin,
    });
    await service.waitFor(/stored in ClickHouse/);
    const send = clientOf(service);
    const quota = { limit: 1_000, period: 'month' };
    const { body: metered } = await send('/v1/api-keys', { name: 'metered', quota });
    const use = clientOf(service, metered.key);
    for (let i = 0; i < 10; i++) t.equal((await use('/v1/me')).status, 200);
    await database.break();
    for (let i = 0; i < 10; i++) t.equal((await use('/v1/me')).status, 200);
    await until(async () => (await send(`/v1/request-logs?apiKeyId=${metered.id}&limit=100`)).body.data.length === 20);
    t.match((await send('/health')).body, {
      status: 'unhealthy',
      checks: { requestLog: { writable: true } },
    });
    await database.listen();
    await service.waitFor(/charges can be settled again/);
    t.strictSame(await countsOf(service, metered.id), { rows: 20, stats: 20, usage: 20, quota: 20 });
    service.child.kill('SIGTERM');
    t.equal(await service.exited, 0);
  },
);
