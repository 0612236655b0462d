import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { IProbe } from 'kubernetes-models/v1/Probe';
import t, { type Test } from 'tap';
import { Pod } from './kubelet.js';

type Name = 'startup' | 'readiness' | 'liveness';

/** A probe and its results as HTTP statuses. The last one repeats; 0 means a timeout. */
type Script = Omit<IProbe, 'httpGet'> & { results: number[] };

const passes: Script = { results: [200] };

async function startPod(t: Test, given: Partial<Record<Name, Script>>) {
  const scripts = { startup: passes, readiness: passes, liveness: passes, ...given };
  const server = createServer((request, response) => {
    const { results } = scripts[String(request.url).slice(1) as Name];
    const status = results.length > 1 ? results.shift() : results[0];
    if (status) response.writeHead(status).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const probe = (name: Name) => ({ periodSeconds: 1, ...scripts[name], httpGet: { path: `/${name}`, port: 'http' } });
  const pod = new Pod({
    startupProbe: probe('startup'),
    readinessProbe: probe('readiness'),
    livenessProbe: probe('liveness'),
    terminationGracePeriodSeconds: 30,
    start: containerThatStops,
    port: (server.address() as AddressInfo).port,
    secondMs: 10,
  });
  t.teardown(async () => {
    await pod.delete();
    server.close().closeAllConnections();
  });
  return pod;
}

/** A container that exits on the first signal. */
function containerThatStops() {
  let end = (_signal: NodeJS.Signals) => {};
  const exited = new Promise<NodeJS.Signals>((resolve) => {
    end = resolve;
  });
  return {
    child: {
      kill(signal?: NodeJS.Signals | number) {
        end(signal as NodeJS.Signals);
        return true;
      },
    },
    exited,
  };
}

function resultsOf(pod: Pod, name: Name) {
  return pod.results.filter(({ probe }) => probe === name).map(({ isSuccess }) => isSuccess);
}

t.test('only the startup probe runs before the container has started, and it does not run afterwards', async (t) => {
  const pod = await startPod(t, { startup: { results: [503, 503, 200], failureThreshold: 3 } });
  await pod.until(() => pod.count('readiness') > 2 && pod.count('liveness') > 2);
  t.strictSame(
    pod.results.slice(0, 3).map(({ probe }) => probe),
    ['startup', 'startup', 'startup'],
  );
  t.equal(pod.count('startup'), 3);
  t.strictSame(pod.events, ['started', 'ready']);
});

t.test('a status from 200 to 399 is a success; any other status or a timeout is a failure', async (t) => {
  const pod = await startPod(t, { readiness: { results: [200, 204, 302, 399, 400, 404, 503, 0, 200] } });
  await pod.until(() => pod.count('readiness') > 8);
  t.strictSame(resultsOf(pod, 'readiness').slice(0, 9), [true, true, true, true, false, false, false, false, true]);
});

t.test('readiness changes after as many consecutive probe results as the thresholds require', async (t) => {
  const results = [200, 200, 503, 200, 503, 503, 200, 200];
  const pod = await startPod(t, { readiness: { results, successThreshold: 2, failureThreshold: 2 } });
  const changedAfter = [];
  for (const isReady of [true, false, true]) {
    await pod.until(() => pod.isReady === isReady);
    changedAfter.push(pod.count('readiness'));
  }
  t.strictSame(changedAfter, [2, 6, 8]);
});

for (const [name, resultsUntilKilled] of [
  ['startup', [503, 503, 503, 200]],
  ['liveness', [503, 503, 200, 503, 503, 503, 200]],
] as const) {
  t.test(`a container that reaches the failure threshold of its ${name} probe is restarted`, async (t) => {
    const pod = await startPod(t, { [name]: { results: [...resultsUntilKilled], failureThreshold: 3 } });
    await pod.until(() => pod.events.includes('killed') && pod.isReady);
    t.strictSame(
      resultsOf(pod, name).slice(0, resultsUntilKilled.length - 1),
      resultsUntilKilled.slice(0, -1).map((status) => status < 400),
    );
    const events = pod.events.filter((event) => !event.endsWith('ready'));
    t.strictSame(events, [...(name === 'startup' ? [] : ['started']), 'killed', 'exited SIGTERM', 'started']);
  });
}
