import pg from 'pg';
import t, { type Test } from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { closeDeadlineMs } from '../../src/config/index.js';
import { type Cluster, needsCluster, startCluster } from '../cluster.js';
import { createTestDatabase, requirePostgres } from '../database.js';
import { untilWritten } from '../plugins/request-log/scraper.js';
import { run, untilStatus } from '../process.js';
import type { ClientsReport } from './clients.js';
import { needsHaproxy, startHaproxy } from './haproxy.js';
import { type Replica, startReplica } from './replica.js';

requirePostgres();

const perSecond = 2_000;
const connections = 50;
const rounds = 3;
/** HAProxy checks every 100 ms and takes a replica out after the second failure. */
const shutdownDelayMs = 1_000;

const key = generateKey('mez');
const skip = needsCluster || needsHaproxy;
t.setTimeout(240_000);

t.test('behind HAProxy, at 2,000 requests a second', { skip }, async (t) => {
  const cluster = await startCluster(t);
  const replicas = await Promise.all([0, 1, 2].map(() => start(cluster)));
  const ports = replicas.map(({ port }) => port);
  const haproxy = await startHaproxy(t, ports);
  await haproxy.untilAllUp();
  let total = 0;

  await t.test(`clients see no error while each of three replicas is replaced ${rounds} times`, async (t) => {
    await underLoad(t, async () => {
      for (let round = 0; round < rounds; round++) {
        for (const replica of replicas) await replace(t, replica, () => replica.start());
      }
    });
  });

  await t.test('clients with cached keys see no error while PostgreSQL restarts', async (t) => {
    const [first, second, third] = replicas as [Replica, Replica, Replica];
    await underLoad(t, async () => {
      await replace(t, first, () => first.start());
      // Every replica has cached the key after this.
      for (const { url } of replicas) await untilStatus(`${url}/v1/auth`, 204, { headers: { 'x-api-key': key } });
      await cluster.stop('fast');
      await replace(t, second, () => Promise.all([second.start(), cluster.start()]));
      await replace(t, third, () => third.start());
    });
  });

  async function replace(t: Test, replica: Replica, start: () => Promise<unknown>) {
    const { exitCode, tookMs } = await replica.stop();
    t.equal(exitCode, 0);
    t.ok(tookMs < shutdownDelayMs + closeDeadlineMs, `within ${Math.round(tookMs)} ms`);
    await start();
    await haproxy.untilAllUp();
  }

  /** Sends requests while `work` runs, then checks that none failed and that each one is logged once. */
  async function underLoad(t: Test, work: () => Promise<void>) {
    const [clients, startedAt] = [startClients(`${haproxy.url}/v1/me`), performance.now()];
    await work();
    const seconds = (performance.now() - startedAt) / 1_000;
    clients.child.kill('SIGTERM');
    await clients.exited;
    const { failures, ids, longestMs }: ClientsReport = JSON.parse(clients.stdout());
    t.strictSame(failures.slice(0, 10), [], 'no request failed or was reset');
    for (const { svname, wretr, wredis, econ, eresp, srv_abrt } of await haproxy.statistics()) {
      t.strictSame(
        [wretr, wredis, econ, eresp, srv_abrt],
        ['0', '0', '0', '0', '0'],
        `HAProxy did not hide a failure with a retry: ${svname}`,
      );
    }

    for (const { url } of replicas) t.equal((await untilWritten(url)).dropped, 0);
    total += ids.length;
    const found = await rowsOf(cluster, ids);
    t.strictSame(found, { all: total, ours: ids.length }, 'each response has a row, and each row a response');
    t.equal(new Set(ids).size, ids.length);
    const reached = Math.round(ids.length / seconds);
    t.ok(reached > perSecond / 4, `${reached} requests/s; a fast machine reaches ${perSecond}`);
    t.comment(`${ids.length} requests in ${seconds.toFixed(1)} s, the longest ${Math.round(longestMs)} ms`);
  }
});

async function start(cluster: Cluster): Promise<Replica> {
  const { DATA_DIR } = await createTestDatabase();
  return startReplica({
    DATA_DIR,
    DATABASE_URL: cluster.url,
    BOOTSTRAP_ADMIN_KEY: key,
    SHUTDOWN_DELAY_MS: `${shutdownDelayMs}`,
  });
}

function startClients(url: string) {
  const variables = { URL: url, KEY: key, PER_SECOND: `${perSecond}`, CONNECTIONS: `${connections}` };
  return run('test/deploy/clients.ts', [], variables);
}

/** @returns the number of rows of these requests, and of all requests for the same path */
async function rowsOf(cluster: Cluster, ids: string[]) {
  const client = new pg.Client(cluster.url);
  await client.connect();
  const { rows } = await client.query(
    `SELECT count(*)::int AS all, (count(*) FILTER (WHERE id = ANY ($1)))::int AS ours
     FROM request_logs WHERE path = '/v1/me'`,
    [ids],
  );
  await client.end();
  return rows[0];
}
