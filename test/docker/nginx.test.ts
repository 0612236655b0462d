import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runListening, temporaryDirectory, unlessInstalled } from '../deploy/proxy-processes.js';
import { freePort } from '../process.js';
import { root } from '../root.js';

const skip = unlessInstalled('nginx', '-v');

/** Stands in for a replica, and keeps the headers of what it is asked. */
async function startReplica(t: Test) {
  const seen: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers);
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = () => server.close().closeAllConnections();
  t.teardown(stop);
  return { seen, address: `127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

/** The compose file's nginx in front of two replicas. nginx does not start unless it takes its configuration. */
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

t.test('requests go to both replicas, and to the other one when one has gone', { skip }, async (t) => {
  const [a, b] = [await startReplica(t), await startReplica(t)];
  const url = await startNginx(t, a.address, b.address);
  const ask = async (times: number) => {
    for (let i = 0; i < times; i++) t.equal((await fetch(url, { method: i % 2 ? 'POST' : 'GET' })).status, 200);
  };
  await ask(10);
  t.strictSame([a.seen.length, b.seen.length], [5, 5]);
  a.stop();
  await ask(10);
  t.strictSame([a.seen.length, b.seen.length], [5, 15]);
});

t.test('a replica hears from nginx who asks, whatever the client says', { skip }, async (t) => {
  const { seen, address } = await startReplica(t);
  const url = await startNginx(t, address, address);
  const lies = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-method', 'x-forwarded-uri'];
  const named = ['x-original-method', 'x-original-uri'];
  await fetch(url, { headers: Object.fromEntries([...lies, ...named].map((name) => [name, '192.0.2.1'])) });
  const { host } = new URL(url);
  t.match(seen, [{ host, 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': host, 'x-forwarded-proto': 'http' }]);
  t.notMatch(JSON.stringify(seen), '192.0.2.1');
});
