import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import t from 'tap';
import { databaseConfig } from '../../src/config/database.js';
import { closeDeadlineMs, Environment, loadConfig, secretVariables } from '../../src/config/index.js';
import { startApp } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { root } from '../root.js';
import { type Kinds, needsHelm, needsKubectl, problemsOf, render, renderChart } from './manifests.js';

skipFileOnEmbedded();

const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
const page = readFileSync(join(root, 'docs/kubernetes.md'), 'utf8');

const renderings = [
  { name: 'base', skip: needsKubectl, objectsOf: () => render('base') },
  { name: 'overlays/example', skip: needsKubectl, objectsOf: () => render('overlays/example') },
  { name: 'helm', skip: needsHelm, objectsOf: () => renderChart() },
];
for (const { name, skip, objectsOf } of renderings) {
  t.test(name, { skip }, async (t) => {
    const objects = objectsOf();
    const deployment = only('Deployment');
    const { metadata, spec: pod } = deployment.spec.template;
    const [container, ...others] = pod.containers;
    if (!container || others.length > 0) throw new Error('a pod must have exactly one container');
    const { startupProbe, readinessProbe, livenessProbe } = container;
    const { data: variables } = only('ConfigMap');
    const config = loadConfig(variables);
    const stopsWithinMs = config.drain.delayMs + closeDeadlineMs;

    function only<K extends keyof Kinds>(kind: K): Kinds[K] {
      const found = objects.filter((object) => object.kind === kind) as Kinds[K][];
      if (!found[0] || found.length > 1) throw new Error(`${found.length} objects of the kind ${kind}`);
      return found[0];
    }

    t.test('objects match the Kubernetes schemas and have no unknown field', async (t) => {
      for (const object of objects) t.strictSame(await problemsOf(object), []);
      const misspelt = structuredClone(deployment);
      Object.assign(misspelt.spec.template.spec, { terminationGraceSeconds: 35 });
      t.strictSame(await problemsOf(misspelt), [
        'Deployment.spec.template.spec.terminationGraceSeconds: no such field',
      ]);
    });

    t.test('all objects share one name and select the pods by their labels', async (t) => {
      const named = objects.filter(({ kind }) => kind !== 'ConfigMap');
      for (const { kind, metadata } of named) t.equal(metadata.name, 'musicez', kind);
      const selectors = [
        deployment.spec.selector.matchLabels,
        only('Service').spec.selector,
        only('PodDisruptionBudget').spec.selector.matchLabels,
        only('NetworkPolicy').spec.podSelector.matchLabels,
        ...pod.topologySpreadConstraints.map(({ labelSelector }) => labelSelector.matchLabels),
      ];
      for (const selector of selectors) t.strictSame(selector, metadata.labels);
      const { scaleTargetRef } = only('HorizontalPodAutoscaler').spec;
      t.strictSame(scaleTargetRef, { apiVersion: 'apps/v1', kind: 'Deployment', name: deployment.metadata.name });
      t.notOk('replicas' in deployment.spec, 'the autoscaler sets the number of replicas');
    });

    t.test('the manifests set only variables that the service reads', async (t) => {
      t.strictSame(container.envFrom, [{ configMapRef: { name: only('ConfigMap').metadata.name } }]);
      for (const name of [...Object.keys(variables), ...container.env.map(({ name }) => name)]) {
        t.ok(name in Environment.properties || secretVariables.includes(name), name);
      }
    });

    t.test('secrets come by reference, and only DATABASE_URL is required', async (t) => {
      const references = container.env.map(({ name, valueFrom }) => [name, valueFrom.secretKeyRef]);
      t.strictSame(references, [
        ['DATABASE_URL', { name: 'musicez', key: 'DATABASE_URL' }],
        ['BOOTSTRAP_ADMIN_KEY', { name: 'musicez', key: 'BOOTSTRAP_ADMIN_KEY', optional: true }],
        ['REDIS_URL', { name: 'musicez', key: 'REDIS_URL', optional: true }],
        ['REQUEST_LOG_URL', { name: 'musicez', key: 'REQUEST_LOG_URL', optional: true }],
        ...['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS'].map((key) => [
          key,
          { name: 'musicez', key, optional: true },
        ]),
      ]);
      t.notOk(objects.some(({ kind }) => String(kind) === 'Secret'));
    });

    t.test('before warm-up the startup and readiness probes fail, and the liveness probe succeeds', async (t) => {
      const app = await startApp(await createTestDatabase());
      const statusOf = async ({ httpGet }: typeof startupProbe) => (await app.inject(httpGet.path)).statusCode;
      t.equal(await statusOf(startupProbe), 503, 'startup');
      t.equal(await statusOf(readinessProbe), 503, 'readiness');
      t.equal(await statusOf(livenessProbe), 200, 'liveness');
      app.health.markWarm();
      t.equal(await statusOf(startupProbe), 200);
      t.equal(await statusOf(readinessProbe), 200);
      t.notMatch(
        JSON.stringify(objects),
        '/health',
        'no probe uses /health, which fails on all replicas when the database is down',
      );
    });

    t.test(
      'traffic reaches only the port of the service, which connects only to DNS, PostgreSQL and Redis',
      async (t) => {
        t.strictSame(container.ports, [{ name: 'http', containerPort: config.port }]);
        const { ingress, egress } = only('NetworkPolicy').spec;
        const targetPorts = [
          ...[startupProbe, readinessProbe, livenessProbe].map(({ httpGet }) => httpGet.port),
          ...only('Service').spec.ports.map(({ targetPort }) => targetPort),
          ...ingress.flatMap(({ ports }) => ports.map(({ port }) => port)),
        ];
        t.strictSame(new Set(targetPorts), new Set(['http']));
        const egressPorts = egress.flatMap(({ ports }) => ports.map(({ port }) => port));
        t.strictSame(new Set(egressPorts), new Set([53, pg.defaults.port, 6379]), 'DNS, PostgreSQL, Redis');
      },
    );

    t.test('a start may take more than ten minutes, the time after which Kubernetes forgets restarts', async (t) => {
      const longestStart = startupProbe.periodSeconds * startupProbe.failureThreshold;
      t.ok(longestStart > 600);
      t.ok(deployment.spec.progressDeadlineSeconds > longestStart);
    });

    t.test('a pod leaves the endpoints before it stops serving, and long before it would be restarted', async (t) => {
      const { periodSeconds, timeoutSeconds, failureThreshold } = readinessProbe;
      const unreadyAfterSeconds = periodSeconds * failureThreshold + timeoutSeconds;
      t.ok(unreadyAfterSeconds * 1_000 < config.drain.delayMs);
      t.ok(unreadyAfterSeconds < livenessProbe.periodSeconds * (livenessProbe.failureThreshold - 1));
    });

    t.test('the grace period is longer than a shutdown, and a rolling update waits as long for each pod', async (t) => {
      t.ok(pod.terminationGracePeriodSeconds * 1_000 > stopsWithinMs);
      t.ok(deployment.spec.minReadySeconds * 1_000 >= stopsWithinMs);
      t.notOk('lifecycle' in container, 'the process itself implements the delay, without a preStop hook');
      t.match(page, `| \`terminationGracePeriodSeconds\` | ${pod.terminationGracePeriodSeconds} |`);
    });

    t.test('a rolling update keeps all replicas and never exceeds the connection limit of PostgreSQL', async (t) => {
      const { maxSurge, maxUnavailable } = deployment.spec.strategy.rollingUpdate;
      const { minReplicas, maxReplicas } = only('HorizontalPodAutoscaler').spec;
      t.equal(maxUnavailable, 0);
      t.ok(minReplicas > Number(only('PodDisruptionBudget').spec.maxUnavailable));
      const draining = 1;
      const listener = 1;
      const needed = (maxReplicas + Number(maxSurge) + draining) * (databaseConfig.connectionLimit + listener);
      // PostgreSQL's defaults: max_connections, and superuser_reserved_connections.
      t.ok(needed < 100 - 3, `${needed} connections`);
    });

    t.test("the pod runs as the image's user and can write only to the image's data directory", async (t) => {
      const [, user, group] = /^USER (\d+):(\d+)$/m.exec(dockerfile) ?? [];
      t.strictSame(pod.securityContext, {
        runAsNonRoot: true,
        runAsUser: Number(user),
        runAsGroup: Number(group),
        fsGroup: Number(group),
        seccompProfile: { type: 'RuntimeDefault' },
      });
      t.strictSame(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      const [, dataDir] = /\bDATA_DIR=(\S+)$/m.exec(dockerfile) ?? [];
      t.strictSame(container.volumeMounts, [{ name: 'data', mountPath: dataDir }]);
      t.strictSame(pod.volumes, [{ name: 'data', emptyDir: { sizeLimit: '2Gi' } }]);
      t.ok(2 * 2 ** 30 > config.requestLog.spool.maxBytes, 'a full spool does not evict the pod');
      t.equal(pod.automountServiceAccountToken, false);
    });
  });
}

t.test('the example has its own namespace, which allows only restricted pods', { skip: needsKubectl }, async (t) => {
  const [namespace, ...others] = render('overlays/example') as { metadata: { namespace?: string } }[];
  t.match(namespace, {
    kind: 'Namespace',
    metadata: { name: 'musicez', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  });
  for (const { metadata } of others) t.equal(metadata.namespace, 'musicez');
});
