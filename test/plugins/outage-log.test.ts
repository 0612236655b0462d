import Fastify from 'fastify';
import t, { type Test } from 'tap';
import { OutageLog } from '../../plugins/database/outage-log.js';
import { FailedRequests } from '../../plugins/problem-details/failed-requests.js';

/** A logger whose lines are collected. */
function collectLines() {
  const lines: Record<string, unknown>[] = [];
  const stream = { write: (line: string) => lines.push(JSON.parse(line)) };
  return { lines, logger: { level: 'info', stream } };
}

/** Sets the clock of `performance.now`. */
function setClock(t: Test) {
  const clock = { ms: 1_000_000 };
  t.intercept(performance, 'now', { value: () => clock.ms });
  return clock;
}

t.test('a condition that lasts is logged when it begins, once a minute with a count, and when it ends', async (t) => {
  const clock = setClock(t);
  const { lines, logger } = collectLines();
  const app = Fastify({ logger });
  const outage = new OutageLog(app.log);
  outage.ended('it works');
  for (let second = 0; second < 150; second++) {
    outage.failed('it fails', new Error('connect ECONNREFUSED'), { attempt: second });
    clock.ms += 1_000;
  }
  outage.ended('it works');
  outage.ended('it works');
  t.match(lines, [
    { level: 40, msg: 'it fails', failures: 1, reason: 'connect ECONNREFUSED' },
    { level: 40, msg: 'it fails', failures: 61 },
    { level: 40, msg: 'it fails', failures: 121 },
    { level: 30, msg: 'it works', failures: 150, seconds: 150 },
  ]);
  t.equal(lines.length, 4);
  t.notOk(lines.some((line) => 'err' in line || 'stack' in line));

  clock.ms += 60_000;
  outage.failed('it fails', new Error('again'));
  t.match(lines.at(-1), { failures: 1, reason: 'again' }, 'another outage is counted on its own');
});

t.test('requests that fail without the database are one line, which names one of them, until none fails', async (t) => {
  const { lines, logger } = collectLines();
  const genReqId = () => '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07';
  const app = Fastify({ logger, disableRequestLogging: true, genReqId });
  const failed = new FailedRequests(app.log, 20);
  app.get('/orders/:id', async (request) => {
    failed.add(request, new Error('terminating connection'));
    return {};
  });
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const request = { url: '/orders/1?secret=1', headers: { traceparent } };
  await Promise.all([1, 2, 3, 4, 5].map(() => app.inject(request)));
  t.match(lines, [
    {
      level: 40,
      msg: 'requests fail: the database is not available',
      failures: 1,
      method: 'GET',
      route: '/orders/:id',
      requestId: genReqId(),
      trace_id: '0af7651916cd43dd8448eb211c80319c',
    },
  ]);
  t.equal(lines.length, 1);
  t.notMatch(JSON.stringify(lines), 'secret');
  while (lines.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  t.match(lines[1], { level: 30, msg: 'requests: none has failed for a minute', failures: 5 });
});
