import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { createTestDatabase, requirePostgres } from '../database.js';
import { BreakableDatabase } from '../plugins/database/proxy.js';
import { freePort, run, untilStatus } from '../process.js';
import { root } from '../root.js';
import { Pod } from './kubelet.js';

requirePostgres();

const base = join(root, 'deploy/kubernetes/base');
const file = (name: string) => readFileSync(join(base, name), 'utf8');
const { terminationGracePeriodSeconds, containers } = parse(file('deployment.yaml')).spec.template.spec;
const { startupProbe, readinessProbe, livenessProbe } = containers[0];
const shutdownDelayMs = Number(/SHUTDOWN_DELAY_MS=(\d+)/.exec(file('kustomization.yaml'))?.[1]);
const livenessDeadlineSeconds = livenessProbe.periodSeconds * livenessProbe.failureThreshold;

const key = generateKey('mez');
const withKey = { headers: { 'x-api-key': key } };

/** The duration of one Kubernetes second in milliseconds: a silent process is restarted after 1.5 s, not 30 s. */
const secondMs = 50;

/** Starts the service with the probes and times of the Deployment, and the shutdown delay of its ConfigMap. */
async function startPod(t: Test, variables: NodeJS.ProcessEnv, second = secondMs) {
  const port = await freePort();
  const processes: ReturnType<typeof run>[] = [];
  const start = () => {
    const service = run('dist/src/server.js', [], {
      ...variables,
      PORT: `${port}`,
      HOST: '127.0.0.1',
      BOOTSTRAP_ADMIN_KEY: key,
      SHUTDOWN_DELAY_MS: `${(shutdownDelayMs / 1_000) * second}`,
    });
    processes.push(service);
    return service;
  };
  const probes = { startupProbe, readinessProbe, livenessProbe };
  const pod = new Pod({ ...probes, terminationGracePeriodSeconds, start, port, secondMs: second });
  t.teardown(() => pod.delete());
  return { pod, processes, url: `http://127.0.0.1:${port}` };
}

t.test('a slow start is not killed, and only the startup probe runs', async (t) => {
  const own = await createTestDatabase({ migrated: false });
  const database = new BreakableDatabase(own.DATABASE_URL ?? '');
  await database.listen();
  await database.break();
  const { pod } = await startPod(t, { ...own, DATABASE_URL: database.url });
  await pod.until(() => pod.count('startup') * startupProbe.periodSeconds > livenessDeadlineSeconds);
  t.strictSame(pod.events, []);
  t.ok(pod.results.every(({ probe, isSuccess }) => probe === 'startup' && !isSuccess));

  await database.listen();
  await pod.until(() => pod.isReady);
  t.strictSame(pod.events, ['started', 'ready']);
});

t.test('a database outage neither restarts nor ejects any of three replicas', async (t) => {
  const own = await createTestDatabase();
  const database = new BreakableDatabase(own.DATABASE_URL ?? '');
  await database.listen();
  const replicas = await Promise.all([1, 2, 3].map(() => startPod(t, { ...own, DATABASE_URL: database.url })));
  for (const { pod, url } of replicas) {
    await pod.until(() => pod.isReady);
    await untilStatus(`${url}/v1/me`, 200, withKey);
  }

  await database.break();
  const probesBefore = replicas.map(({ pod }) => pod.count('liveness'));
  for (const [index, { pod, url }] of replicas.entries()) {
    const enough = (probesBefore[index] ?? 0) + livenessProbe.failureThreshold;
    await pod.until(() => pod.count('liveness') > enough || pod.events.includes('killed'));
    t.equal((await fetch(`${url}/health`)).status, 503);
    t.equal((await fetch(`${url}/v1/me`, withKey)).status, 200);
  }
  await database.listen();
  for (const { pod, url } of replicas) {
    await untilStatus(`${url}/health`, 200);
    t.strictSame(pod.events, ['started', 'ready']);
  }
});

t.test('a replica with a blocked event loop leaves the endpoints and is then restarted', async (t) => {
  const { pod, processes } = await startPod(t, await createTestDatabase());
  await pod.until(() => pod.isReady);
  processes[0]?.child.kill('SIGSTOP');
  await pod.until(() => processes.length === 2 && pod.isReady);
  t.strictSame(pod.events, ['started', 'ready', 'unready', 'killed', 'exited SIGKILL', 'started', 'ready']);
});

t.test('a draining pod leaves the endpoints before it stops serving', async (t) => {
  const { pod, url } = await startPod(t, await createTestDatabase(), 250);
  await pod.until(() => pod.isReady);
  const deleted = pod.delete();
  const statuses = new Set<number>();
  while (pod.isReady) statuses.add((await fetch(`${url}/v1/me`, withKey)).status);
  t.strictSame([...statuses], [200]);
  t.equal((await fetch(`${url}/v1/me`, withKey)).status, 200, 'also for clients that still use the instance');
  await deleted;
  t.strictSame(pod.events, ['started', 'ready', 'unready', 'exited 0']);
});
