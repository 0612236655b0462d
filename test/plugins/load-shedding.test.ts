import type { AddressInfo } from 'node:net';
import t from 'tap';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { keyHeaders } from '../app.js';
import { onceIsEnough, ownDatabase } from '../database.js';

onceIsEnough();

const config = loadConfig({ LOG_LEVEL: 'silent', ...(await ownDatabase()) });
const app = await buildApp(config);
t.teardown(() => app.close());
let isBusy = true;
// A route of a user's that works for longer than it should, beside requests that others wait for.
app.get('/busy', async () => {
  const until = performance.now() + 2 * config.loadShedding.maxEventLoopDelayMs;
  while (isBusy && performance.now() < until);
  return 'done';
});
await app.listen({ port: 0, host: '127.0.0.1' });
await app.database.ready;
const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
const known = { headers: await keyHeaders(app) };

t.test('more than it can do is turned away, probes are not, and afterwards all is well by itself', async (t) => {
  t.equal((await fetch(`${url}/v1/me`, known)).status, 200);
  const storm = Array.from({ length: 4 }, async () => {
    while (isBusy) await (await fetch(`${url}/busy`)).text();
  });

  let turnedAway = await fetch(`${url}/v1/me`, known);
  while (turnedAway.status === 200) turnedAway = await fetch(`${url}/v1/me`, known);
  t.equal(turnedAway.status, 503);
  t.equal(turnedAway.headers.get('retry-after'), '1');
  const id = turnedAway.headers.get('x-request-id') ?? '';
  t.match(await turnedAway.json(), { code: 'OVERLOADED', status: 503, requestId: id });
  for (const path of ['/livez', '/health', '/metrics']) t.equal((await fetch(url + path)).status, 200, path);
  t.match(await (await fetch(`${url}/readyz?verbose`)).json(), { checks: { draining: false } });

  isBusy = false;
  await Promise.all(storm);
  while ((await fetch(`${url}/v1/me`, known)).status !== 200);
  await app.requestLog.flush();
  t.match(
    await app.prisma.requestLog.findUnique({ where: { id } }),
    { path: '/v1/me', statusCode: 503 },
    'it has its row',
  );
});

t.test('an instance on its way out turns nobody away', async (t) => {
  isBusy = true;
  const storm = Array.from({ length: 2 }, async () => {
    while (isBusy) await (await fetch(`${url}/busy`)).text();
  });
  while ((await fetch(`${url}/v1/me`, known)).status === 200);
  t.intercept(app.drain, 'isDraining', { value: true });
  t.equal((await fetch(`${url}/v1/me`, known)).status, 200);
  isBusy = false;
  await Promise.all(storm);
});
