import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runListening, unlessInstalled } from '../deploy/proxy-processes.js';
import { freePort } from '../process.js';
import { root } from '../root.js';
import { temporaryDirectory } from '../temporary-directory.js';

const skip = unlessInstalled('nginx', '-v');

/** Starts a fake replica that records the headers of its requests. */
async function startReplica(t: Test) {
  const received: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    received.push(request.headers);
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = () => server.close().closeAllConnections();
  t.teardown(stop);
  return { received, address: `127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

/** Starts the compose file's nginx in front of two replicas. It starts only if its configuration is valid. */
async function startNginx(t: Test, musicez: string, replica: string) {
  const directory = temporaryDirectory(t);
  const port = await freePort();
  const file = join(directory, 'nginx.conf');
  const config = readFileSync(join(root, 'docker/nginx/nginx.conf'), 'utf8')
    .replace('server musicez:3000 ', `server ${musicez} `)
    .replace('server replica:3000 ', `server ${replica} `)
    .replace('listen 8000;', `listen 127.0.0.1:${port};`)
    .replaceAll('/tmp/', `${directory}/`);
  writeFileSync(file, config);
  await runListening(t, 'nginx', ['-p', directory, '-c', file, '-g', 'daemon off;'], {}, port);
  return `http://127.0.0.1:${port}`;
}

t.test('requests are distributed to both replicas, and all go to the other one when one stops', { skip }, async (t) => {
  const [a, b] = [await startReplica(t), await startReplica(t)];
  const url = await startNginx(t, a.address, b.address);
  const sendRequests = async (times: number) => {
    for (let i = 0; i < times; i++) t.equal((await fetch(url, { method: i % 2 ? 'POST' : 'GET' })).status, 200);
  };
  await sendRequests(10);
  t.strictSame([a.received.length, b.received.length], [5, 5]);
  a.stop();
  await sendRequests(10);
  t.strictSame([a.received.length, b.received.length], [5, 15]);
});

t.test("a replica gets the client's address from nginx, not from the client", { skip }, async (t) => {
  const { received, address } = await startReplica(t);
  const url = await startNginx(t, address, address);
  const forwardedHeaders = [
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-proto',
    'x-forwarded-method',
    'x-forwarded-uri',
  ];
  const originalHeaders = ['x-original-method', 'x-original-uri'];
  await fetch(url, {
    headers: Object.fromEntries([...forwardedHeaders, ...originalHeaders].map((name) => [name, '192.0.2.1'])),
  });
  const { host } = new URL(url);
  t.match(received, [{ host, 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': host, 'x-forwarded-proto': 'http' }]);
  t.notMatch(JSON.stringify(received), '192.0.2.1');
});
