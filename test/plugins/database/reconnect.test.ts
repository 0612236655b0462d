import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { databaseConfig } from '../../../src/config/database.js';
import { needsCluster, startCluster } from '../../cluster.js';
import { createTestDatabase, requirePostgres } from '../../database.js';
import { startService, untilStatus } from '../../process.js';
import { steadyLoad } from '../request-log/steady-load.js';

requirePostgres();

const replicaCount = 5;
/** The pool and the connection that listens for key changes. */
const perReplica = databaseConfig.connectionLimit + 1;
const reservedForSuperuser = 3;
const attemptsDuringOutage = 5;

const key = generateKey('mez');
const headers = { 'x-api-key': key };

t.test(
  'five replicas reconnect to a restarted PostgreSQL within its connection limit and with jittered retries',
  { skip: needsCluster },
  async (t) => {
    const cluster = await startCluster(t, {
      max_connections: replicaCount * perReplica + reservedForSuperuser + 1,
      superuser_reserved_connections: reservedForSuperuser,
      log_connections: 'on',
      log_disconnections: 'on',
      log_line_prefix: '%e ',
    });
    await cluster.query('postgres', 'CREATE ROLE musicez LOGIN');
    await cluster.query('postgres', 'CREATE DATABASE musicez OWNER musicez');
    const url = new URL(cluster.url);
    url.username = 'musicez';
    url.pathname = '/musicez';
    const replicas = await Promise.all(
      Array.from({ length: replicaCount }, async () =>
        startService({
          ...(await createTestDatabase()),
          DATABASE_URL: url.href,
          BOOTSTRAP_ADMIN_KEY: key,
          LOG_LEVEL: 'debug',
        }),
      ),
    );
    // Each request queries the database.
    const send = (replica: { url: string }) => fetch(`${replica.url}/v1/api-keys`, { headers });
    const loads = replicas.map((replica) => steadyLoad(t, `${replica.url}/v1/api-keys`, headers, 20));
    await Promise.all(replicas.map((replica) => untilStatus(`${replica.url}/v1/api-keys`, 200, { headers })));

    await cluster.stop('immediate');
    await Promise.all(replicas.map((replica) => replica.waitFor(new RegExp(`"attempt":${attemptsDuringOutage},`))));
    await cluster.start();

    const requests = replicas.flatMap((replica) => Array.from({ length: 2 * perReplica }, () => send(replica)));
    const statuses = (await Promise.all(requests)).map(({ status }) => status);
    t.strictSame([...new Set(statuses)], [200], 'requests succeed as soon as PostgreSQL is back');
    for (const replica of replicas) {
      await replica.waitFor(/accepts records again/);
      await replica.waitFor(/notifications: not connected(.|\n)*notifications: connected/);
    }
    await Promise.all(loads.map((load) => load.stop()));

    const log = cluster.log();
    const peak = maxConnections(log);
    t.ok(peak <= replicaCount * perReplica, `${peak} connections at the peak`);
    t.notMatch(log, /^53300/m, 'no connection was rejected for exceeding the limit');

    const pauses = replicas.flatMap((replica) => pausesBetweenAttempts(replica.stdout()));
    const [shortest, longest] = [Math.min(...pauses), Math.max(...pauses)];
    t.ok(pauses.length >= replicaCount * (attemptsDuringOutage - 1));
    t.ok(shortest > 0.45 && shortest < 0.9, 'jitter shortens each pause by up to half');
    t.ok(longest - shortest > 0.1, 'the pauses are random');
    t.comment(`${peak} connections at the peak; pauses from ${shortest.toFixed(2)} to ${longest.toFixed(2)}`);
  },
);

/** Returns the maximum number of concurrent connections of the services, from the server log. */
function maxConnections(log: string): number {
  let now = 0;
  let max = 0;
  for (const line of log.split('\n')) {
    if (line.includes('starting PostgreSQL')) now = 0;
    else if (/connection authorized: user=musicez/.test(line)) now++;
    else if (/disconnection: .* user=musicez/.test(line)) now--;
    max = Math.max(max, now);
  }
  return max;
}

/** Returns the time from each failed batch to the next, as a fraction of the maximum backoff before that attempt. */
function pausesBetweenAttempts(log: string): number[] {
  const failures = log
    .split('\n')
    .filter((line) => line.includes('a batch failed, trying again'))
    .map((line) => JSON.parse(line) as { time: number; attempt: number });
  return failures.flatMap(({ time, attempt }, index) => {
    const next = failures[index + 1];
    return next?.attempt === attempt + 1 ? [(next.time - time) / (100 * 2 ** (attempt - 1))] : [];
  });
}
