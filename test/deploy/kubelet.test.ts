import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { IProbe } from 'kubernetes-models/v1/Probe';
import t, { type Test } from 'tap';
import { Pod } from './kubelet.js';

type Name = 'startup' | 'readiness' | 'liveness';

/** A probe, and the answers to it in turn, the last one again and again; 0 is none within the time-out. */
type Script = Omit<IProbe, 'httpGet'> & { answers: number[] };

const passes: Script = { answers: [200] };

async function startPod(t: Test, given: Partial<Record<Name, Script>>) {
  const scripts = { startup: passes, readiness: passes, liveness: passes, ...given };
  const server = createServer((request, response) => {
    const { answers } = scripts[String(request.url).slice(1) as Name];
    const status = answers.length > 1 ? answers.shift() : answers[0];
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

/** One that ends by the first signal that it gets. */
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

function answersTo(pod: Pod, name: Name) {
  return pod.answers.filter(({ probe }) => probe === name).map(({ isSuccess }) => isSuccess);
}

t.test(
  'nothing else is asked before the container has started, and not whether it has started after that',
  async (t) => {
    const pod = await startPod(t, { startup: { answers: [503, 503, 200], failureThreshold: 3 } });
    await pod.until(() => pod.count('readiness') > 2 && pod.count('liveness') > 2);
    t.strictSame(
      pod.answers.slice(0, 3).map(({ probe }) => probe),
      ['startup', 'startup', 'startup'],
    );
    t.equal(pod.count('startup'), 3);
    t.strictSame(pod.events, ['started', 'ready']);
  },
);

t.test('a status from 200 to 399 is a success, any other and silence are not', async (t) => {
  const pod = await startPod(t, { readiness: { answers: [200, 204, 302, 399, 400, 404, 503, 0, 200] } });
  await pod.until(() => pod.count('readiness') > 8);
  t.strictSame(answersTo(pod, 'readiness').slice(0, 9), [true, true, true, true, false, false, false, false, true]);
});

t.test('readiness turns after as many answers in a row as its thresholds say', async (t) => {
  const answers = [200, 200, 503, 200, 503, 503, 200, 200];
  const pod = await startPod(t, { readiness: { answers, successThreshold: 2, failureThreshold: 2 } });
  const turnedAfter = [];
  for (const isReady of [true, false, true]) {
    await pod.until(() => pod.isReady === isReady);
    turnedAfter.push(pod.count('readiness'));
  }
  t.strictSame(turnedAfter, [2, 6, 8]);
});

for (const [name, answersUntilKilled] of [
  ['startup', [503, 503, 503, 200]],
  ['liveness', [503, 503, 200, 503, 503, 503, 200]],
] as const) {
  t.test(`a container that fails its ${name} probe often enough in a row is started anew`, async (t) => {
    const pod = await startPod(t, { [name]: { answers: [...answersUntilKilled], failureThreshold: 3 } });
    await pod.until(() => pod.events.includes('killed') && pod.isReady);
    t.strictSame(
      answersTo(pod, name).slice(0, answersUntilKilled.length - 1),
      answersUntilKilled.slice(0, -1).map((status) => status < 400),
    );
    const events = pod.events.filter((event) => !event.endsWith('ready'));
    t.strictSame(events, [...(name === 'startup' ? [] : ['started']), 'killed', 'exited SIGTERM', 'started']);
  });
}
