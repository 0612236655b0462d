import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { createServer } from 'node:tls';
import t, { type Test } from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { createCertificate, needsOpenssl } from '../certificate.js';
import { createTestDatabase, skipOnEmbedded } from '../database.js';
import { startService } from '../process.js';
import { needsClickHouse, TestClickHouse } from './server.js';

const admin = generateKey('mez');
const authorization = { authorization: `Bearer ${admin}` };

/** Decrypts connections and passes them on. @returns the port */
async function startTls(t: Test, files: { certificate: string; key: string }, target: URL): Promise<number> {
  const [cert, key] = [readFileSync(files.certificate), readFileSync(files.key)];
  const server = createServer({ cert, key }, (socket) => {
    const upstream = connect(Number(target.port), target.hostname);
    socket.pipe(upstream).pipe(socket);
    socket.on('error', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

const skip =
  needsClickHouse || needsOpenssl || (TestClickHouse.canStop ? false : 'TEST_CLICKHOUSE_URL has its own TLS');

t.test('clickhouses:// reads and writes the log over TLS', { skip }, async (t) => {
  const clickHouse = new URL((await TestClickHouse.start(t)).url.replace(/^\w+/, 'http'));
  const files = createCertificate(t);
  const port = await startTls(t, files, clickHouse);
  const service = await startService({
    ...(await createTestDatabase()),
    REQUEST_LOG_URL: `clickhouses://127.0.0.1:${port}${clickHouse.pathname}`,
    REQUEST_LOG_FLUSH_MS: '20',
    BOOTSTRAP_ADMIN_KEY: admin,
    NODE_EXTRA_CA_CERTS: files.certificate,
  });
  await service.waitFor(/stored in ClickHouse/);
  t.equal((await fetch(`${service.url}/v1/me`, { headers: authorization })).status, 200);
  for (let rows = 0; rows === 0; await new Promise((resolve) => setTimeout(resolve, 20))) {
    const page = await fetch(`${service.url}/v1/request-logs?path=/v1/me`, { headers: authorization });
    t.equal(page.status, 200);
    rows = (await page.json()).data.length;
  }
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
});

t.test(
  'the log names a distrusted certificate as the reason, and requests are answered',
  { skip: skipOnEmbedded || needsOpenssl },
  async (t) => {
    const port = await startTls(t, createCertificate(t), new URL('http://127.0.0.1:1'));
    const service = await startService({
      ...(await createTestDatabase()),
      REQUEST_LOG_URL: `clickhouses://somebody:hunter2@127.0.0.1:${port}/log`,
      BOOTSTRAP_ADMIN_KEY: admin,
    });
    const [line] = await service.waitFor(/^.*ClickHouse does not answer.*$/m);
    t.match(JSON.parse(line), { address: `127.0.0.1:${port}/log`, reason: /self-signed certificate/ });
    t.equal((await fetch(`${service.url}/v1/me`, { headers: authorization })).status, 200);
    t.notMatch(service.stdout() + service.stderr(), /somebody|hunter2/);
  },
);
