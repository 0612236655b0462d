import type { AddressInfo } from 'node:net';
import t from 'tap';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { keyHeaders } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';

skipFileOnEmbedded();

const config = loadConfig({ LOG_LEVEL: 'silent', ...(await createTestDatabase()) });
const app = await buildApp(config);
t.teardown(() => app.close());
let isBusy = true;
// Blocks the event loop, which also delays other requests.
app.get('/busy', async () => {
  const until = performance.now() + 2 * config.loadShedding.maxEventLoopDelayMs;
  while (isBusy && performance.now() < until);
  return 'done';
});
await app.listen({ port: 0, host: '127.0.0.1' });
await app.database.ready;
const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
const withKey = { headers: await keyHeaders(app) };

t.test('an overloaded instance rejects requests but not probes, and recovers when the load ends', async (t) => {
  t.equal((await fetch(`${url}/v1/me`, withKey)).status, 200);
  const storm = Array.from({ length: 4 }, async () => {
    while (isBusy) await (await fetch(`${url}/busy`)).text();
  });

  let rejected = await fetch(`${url}/v1/me`, withKey);
  while (rejected.status === 200) rejected = await fetch(`${url}/v1/me`, withKey);
  t.equal(rejected.status, 503);
  t.equal(rejected.headers.get('retry-after'), '1');
  const id = rejected.headers.get('x-request-id') ?? '';
  t.match(await rejected.json(), { code: 'OVERLOADED', status: 503, requestId: id });
  for (const path of ['/livez', '/health', '/metrics']) t.equal((await fetch(url + path)).status, 200, path);
  t.match(await (await fetch(`${url}/readyz?verbose`)).json(), { checks: { draining: false } });

  isBusy = false;
  await Promise.all(storm);
  while ((await fetch(`${url}/v1/me`, withKey)).status !== 200);
  await app.requestLog.flush();
  t.match(
    await app.prisma.requestLog.findUnique({ where: { id } }),
    { path: '/v1/me', statusCode: 503 },
    'the rejected request is logged',
  );
});

t.test('an instance that is shutting down does not reject requests', async (t) => {
  isBusy = true;
  const storm = Array.from({ length: 2 }, async () => {
    while (isBusy) await (await fetch(`${url}/busy`)).text();
  });
  while ((await fetch(`${url}/v1/me`, withKey)).status === 200);
  t.intercept(app.drain, 'isDraining', { value: true });
  t.equal((await fetch(`${url}/v1/me`, withKey)).status, 200);
  isBusy = false;
  await Promise.all(storm);
});
