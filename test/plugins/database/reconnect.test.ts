import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { databaseConfig } from '../../../src/config/database.js';
import { needsCluster, startCluster } from '../../cluster.js';
import { needsPostgres, ownDatabase } from '../../database.js';
import { startService, untilStatus } from '../../process.js';
import { steadyLoad } from '../request-log/steady-load.js';

const replicaCount = 5;
/** The pool, and the connection that listens for changes of keys. */
const perReplica = databaseConfig.connectionLimit + 1;
const reservedForSuperuser = 3;
const attemptsWhileAway = 5;

const key = generateKey('mez');
const headers = { 'x-api-key': key };

t.test(
  'five replicas come back to a PostgreSQL that was restarted, with no more connections than it has, and not in step',
  { skip: needsPostgres || needsCluster },
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
        startService({ ...(await ownDatabase()), DATABASE_URL: url.href, BOOTSTRAP_ADMIN_KEY: key }),
      ),
    );
    // Each request asks the database.
    const ask = (replica: { url: string }) => fetch(`${replica.url}/v1/api-keys`, { headers });
    const loads = replicas.map((replica) => steadyLoad(t, `${replica.url}/v1/api-keys`, headers, 20));
    await Promise.all(replicas.map((replica) => untilStatus(`${replica.url}/v1/api-keys`, 200, { headers })));

    await cluster.stop('immediate');
    await Promise.all(replicas.map((replica) => replica.waitFor(new RegExp(`"attempt":${attemptsWhileAway},`))));
    await cluster.start();

    const crowd = replicas.flatMap((replica) => Array.from({ length: 2 * perReplica }, () => ask(replica)));
    const statuses = (await Promise.all(crowd)).map(({ status }) => status);
    t.strictSame([...new Set(statuses)], [200], 'whoever asks as soon as it is back gets an answer');
    for (const replica of replicas) {
      await replica.waitFor(/takes records again/);
      await replica.waitFor(/keys are not heard(.|\n)*keys are heard at once/);
    }
    await Promise.all(loads.map((load) => load.stop()));

    const log = cluster.log();
    const peak = mostConnections(log);
    t.ok(peak <= replicaCount * perReplica, `${peak} connections at the most`);
    t.notMatch(log, /^53300/m, 'none was refused for being too many');

    const pauses = replicas.flatMap((replica) => pausesBetweenAttempts(replica.stdout()));
    const [shortest, longest] = [Math.min(...pauses), Math.max(...pauses)];
    t.ok(pauses.length >= replicaCount * (attemptsWhileAway - 1));
    t.ok(shortest > 0.45 && shortest < 0.9, 'up to half of each pause is left out');
    t.ok(longest - shortest > 0.1, 'by chance, so that they differ');
    t.comment(`${peak} connections at the most; pauses from ${shortest.toFixed(2)} to ${longest.toFixed(2)}`);
  },
);

/** How many connections the services had at the same time, by the server's log. */
function mostConnections(log: string): number {
  let now = 0;
  let most = 0;
  for (const line of log.split('\n')) {
    if (line.includes('starting PostgreSQL')) now = 0;
    else if (/connection authorized: user=musicez/.test(line)) now++;
    else if (/disconnection: .* user=musicez/.test(line)) now--;
    most = Math.max(most, now);
  }
  return most;
}

/** From one failed batch of the request log to the next, each as a part of the longest pause before that attempt. */
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
