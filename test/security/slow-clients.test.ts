import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { createTestDatabase, needsPostgres, skipFileOnEmbedded } from '../database.js';
import { unlessInstalled } from '../deploy/proxy-processes.js';
import { steadyLoad } from '../plugins/request-log/steady-load.js';
import { startService } from '../process.js';
import { statusesOf } from './raw-socket.js';

skipFileOnEmbedded();

const attackers = 500;
const measuredMs = 8_000;
const perSecond = 200;

t.test('a client that sends a header or body too slowly, or is idle for too long, is disconnected', async (t) => {
  const config = loadConfig({ LOG_LEVEL: 'silent', ...(await createTestDatabase()) });
  t.match(config.http, { headersTimeoutMs: 10_000, requestTimeoutMs: 30_000, idleTimeoutMs: 120_000 });
  const http = { ...config.http, headersTimeoutMs: 200, requestTimeoutMs: 400, idleTimeoutMs: 800 };
  const app = await buildApp({ ...config, http });
  t.teardown(() => app.close());
  app.get('/silent', async () => new Promise(() => {}));
  app.post('/echo', async (request) => request.body);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  const cases = {
    'a header': { sent: 'GET / HTTP/1.1\r\nHost: x\r\nX-A', status: [408] },
    'a body': {
      sent: 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
      status: [408],
    },
    'a chunk': {
      sent: 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na',
      status: [408],
    },
    'a response that never comes': { sent: 'GET /silent HTTP/1.1\r\nHost: x\r\n\r\n', status: [] },
  };
  const timedOut: string[] = [];
  await Promise.all(
    Object.entries(cases).map(async ([name, { sent, status }]) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(sent));
      const response = await text(socket);
      t.strictSame(statusesOf(response), status, name);
      const [, id] = /x-request-id: (\S+)/i.exec(response) ?? [];
      if (id && name !== 'a header') timedOut.push(id);
    }),
  );
  await app.database.ready;
  await app.requestLog.flush();
  const rows = await app.prisma.requestLog.findMany({
    where: { id: { in: timedOut } },
    select: { statusCode: true },
  });
  t.strictSame(rows, [{ statusCode: 408 }, { statusCode: 408 }], 'incomplete bodies have a row in the request log');
});

const attacks = [
  { name: 'headers', start: startSlowHeaders, skip: needsPostgres || unlessInstalled('slowhttptest', '-h') },
  { name: 'bodies', start: startSlowBodies, skip: needsPostgres },
];

for (const { name, start, skip } of attacks) {
  t.test(`${attackers} connections with slow ${name} do not slow down the others`, { skip }, async (t) => {
    const key = generateKey('mez');
    const startLoaded = async () => {
      const { url } = await startService({ ...(await createTestDatabase()), BOOTSTRAP_ADMIN_KEY: key });
      return { url, load: steadyLoad(t, `${url}/v1/me`, { 'x-api-key': key }, perSecond) };
    };
    // Measured in the same seconds, because the speed of the machine changes.
    const [attacked, control] = [await startLoaded(), await startLoaded()];
    // The first requests are slower, because their code is compiled.
    while (control.load.responses.length < 2 * perSecond) await sleep(50);
    start(t, attacked.url, key);
    while ((await connectionsOf(attacked.url)) < attackers * 0.9) await sleep(50);
    const [p99, controlP99] = await Promise.all([typicalP99(attacked.load), typicalP99(control.load)]);
    await Promise.all([attacked.load.stop(), control.load.stop()]);
    const { failures, responses } = attacked.load;
    t.strictSame([failures, responses.filter(({ status }) => status !== 200)], [[], []]);
    t.ok(p99 < 3 * controlP99, `p99 ${p99.toFixed(1)} ms, without attack ${controlP99.toFixed(1)} ms`);
  });
}

/** Returns the median of the 99th percentiles of the next seconds, so that one outlier does not matter. */
async function typicalP99({ responses }: ReturnType<typeof steadyLoad>): Promise<number> {
  const seconds: number[] = [];
  for (let passed = 0; passed < measuredMs; passed += 1_000) {
    const first = responses.length;
    await sleep(1_000);
    const sorted = responses
      .slice(first)
      .map(({ tookMs }) => tookMs)
      .sort((a, b) => a - b);
    seconds.push(sorted[Math.floor(sorted.length * 0.99)] ?? 0);
  }
  return seconds.sort((a, b) => a - b)[Math.floor(seconds.length / 2)] ?? 0;
}

function startSlowHeaders(t: Test, url: string) {
  const args = ['-H', '-c', `${attackers}`, '-r', `${attackers}`, '-i', '2', '-l', '60', '-u', `${url}/v1/me`];
  const child = spawn('slowhttptest', args, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
}

/** slowhttptest sends no key, so it is denied before its body is read. These clients send one. */
function startSlowBodies(t: Test, url: string, key: string) {
  const head = `POST /v1/api-keys HTTP/1.1\r\nHost: x\r\nX-API-Key: ${key}\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n`;
  const sockets = Array.from({ length: attackers }, () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(head));
    return socket.on('error', () => {}).resume();
  });
  const drip = setInterval(() => {
    for (const socket of sockets) if (socket.writable) socket.write(' ');
  }, 2_000);
  t.teardown(() => {
    clearInterval(drip);
    for (const socket of sockets) socket.destroy();
  });
}

/** Returns the number of connections of the service. */
async function connectionsOf(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^nodejs_active_handles\{type="Socket"\} (\d+)$/m.exec(metrics)?.[1] ?? 0);
}
