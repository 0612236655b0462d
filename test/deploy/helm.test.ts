import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { secretVariables } from '../../src/config/index.js';
import { skipFileOnEmbedded } from '../database.js';
import { root } from '../root.js';
import { type Kinds, needsHelm, problemsOf, renderChart } from './manifests.js';

skipFileOnEmbedded();

const chart = join(root, 'deploy/helm');

function only<K extends keyof Kinds>(kind: K, ...args: string[]): Kinds[K] {
  const [found, ...others] = renderChart(...args).filter((object) => object.kind === kind) as Kinds[K][];
  if (!found || others.length > 0) throw new Error(`${others.length + (found ? 1 : 0)} objects of the kind ${kind}`);
  return found;
}

t.test('the chart has the version of the package, and passes the linter', { skip: needsHelm }, async (t) => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  t.match(parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')), { version, appVersion: version });
  execFileSync('helm', ['lint', '--strict', chart]);
});

t.test('the grace period and the pace of a rollout follow the shutdown delay', { skip: needsHelm }, async (t) => {
  const { spec } = only('Deployment', '--set-string', 'variables.SHUTDOWN_DELAY_MS=4500');
  t.equal(spec.template.spec.terminationGracePeriodSeconds, 32);
  t.equal(spec.minReadySeconds, 27);
});

t.test('a changed variable starts new pods', { skip: needsHelm }, async (t) => {
  const annotationsOf = (...args: string[]) => only('Deployment', ...args).spec.template.metadata.annotations;
  t.strictSame(annotationsOf(), annotationsOf());
  t.strictNotSame(annotationsOf(), annotationsOf('--set-string', 'variables.LOG_LEVEL=debug'));
});

t.test('every value has its place, and the objects stay valid', { skip: needsHelm }, async (t) => {
  const values = [
    [
      'image.repository=registry.example/musicez',
      'image.tag=1.2.3',
      'imagePullSecrets[0].name=pull',
      'secretName=other',
    ],
    ['autoscaling.minReplicas=2', 'autoscaling.maxReplicas=4', 'autoscaling.targetCPUUtilizationPercentage=50'],
    ['resources.limits.memory=1Gi', 'spoolSize=5Gi', 'service.type=NodePort', 'service.port=8080'],
    ['service.annotations.a=b', 'podAnnotations.c=d', 'nodeSelector.disk=ssd', 'tolerations[0].key=spot'],
    [
      'affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey=zone',
      'networkPolicy.egressPorts={5432,8123}',
      'startupFailureThreshold=600',
    ],
    ['networkPolicy.from[0].podSelector.matchLabels.app=ingress'],
  ].flat();
  const args = values.flatMap((value) => ['--set', value]);
  for (const object of renderChart(...args)) t.strictSame(await problemsOf(object), []);
  const deployment = only('Deployment', ...args);
  const pod = deployment.spec.template.spec;
  t.match(pod, {
    imagePullSecrets: [{ name: 'pull' }],
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'spot' }],
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone' }] } },
    volumes: [{ emptyDir: { sizeLimit: '5Gi' } }],
  });
  t.match(pod.containers[0], {
    image: 'registry.example/musicez:1.2.3',
    env: [{ valueFrom: { secretKeyRef: { name: 'other' } } }],
    resources: { limits: { memory: '1Gi' }, requests: { cpu: '500m' } },
    startupProbe: { failureThreshold: 600 },
  });
  t.match(deployment.spec, { progressDeadlineSeconds: 1_500, template: { metadata: { annotations: { c: 'd' } } } });
  t.match(only('HorizontalPodAutoscaler', ...args).spec, {
    minReplicas: 2,
    maxReplicas: 4,
    metrics: [{ resource: { target: { averageUtilization: 50 } } }],
  });
  t.match(only('Service', ...args), {
    metadata: { annotations: { a: 'b' } },
    spec: { type: 'NodePort', ports: [{ port: 8080 }] },
  });
  const { ingress, egress } = only('NetworkPolicy', ...args).spec;
  t.match(ingress, [{ ports: [{ port: 'http' }], from: [{ podSelector: { matchLabels: { app: 'ingress' } } }] }]);
  t.match(egress, [{}, { ports: [{ port: 5432 }, { port: 8123 }] }]);
  t.throws(() => only('NetworkPolicy', '--set', 'networkPolicy.enabled=false'));
});

t.test('two releases in one namespace do not share pods', { skip: needsHelm }, async (t) => {
  const rendered = execFileSync('helm', ['template', 'orders', chart], { encoding: 'utf8' });
  t.match(rendered, 'name: orders-musicez');
  t.notMatch(rendered, /app.kubernetes.io\/name: musicez$/m);
});

t.test('secrets, and variables that the chart sets, are refused among the variables', async (t) => {
  const { properties } = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8'));
  const { properties: variables, patternProperties } = properties.variables;
  for (const name of [...secretVariables, 'PORT', 'HOST', 'DATA_DIR']) t.equal(variables[name], false, name);
  t.strictSame(patternProperties, { _FILE$: false });
});

t.test('a refused variable and a misspelt value are named', { skip: needsHelm }, async (t) => {
  for (const [value, message] of [
    ['variables.DATABASE_URL=postgresql://', /\/variables\/DATABASE_URL/],
    ['variables.REDIS_URL_FILE=x', /\/variables/],
    ['replicas=3', /additional properties 'replicas' not allowed/],
    ['image.repository=', /\/image\/repository/],
    ['variables.SHUTDOWN_DELAY_MS=soon', /\/variables\/SHUTDOWN_DELAY_MS/],
  ] as const)
    t.throws(() => renderChart('--set', value), { message });
});
