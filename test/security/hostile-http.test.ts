import type { AddressInfo } from 'node:net';
import pino from 'pino';
import t from 'tap';
import { keyHeaders, startApp } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { ambiguous, malformed, smuggledPath } from './hostile-requests.js';
import { plainProxies } from './plain-proxies.js';
import { exchange, statusesOf } from './raw-socket.js';

skipFileOnEmbedded();

const app = await startApp(await createTestDatabase());
await app.listen({ port: 0, host: '127.0.0.1' });
const { port } = app.server.address() as AddressInfo;
const request = (line: string, ...fields: string[]) =>
  `${[`${line} HTTP/1.1`, 'Host: x', ...fields].join('\r\n')}\r\n\r\n`;

async function countRows(path: string) {
  await app.requestLog.flush();
  return app.prisma.requestLog.count({ where: { path } });
}

t.test('after a request with an ambiguous length the connection is closed without reading further', async (t) => {
  for (const [name, bytes] of Object.entries(ambiguous)) {
    const { response, isEnded } = await exchange(port, bytes);
    // The route may have responded before the body was parsed, and then the body is rejected.
    t.match(`${statusesOf(response)}`, /^(400|401|401,400)$/, name);
    t.ok(isEnded, name);
    t.equal(await countRows(smuggledPath), 0, name);
  }
});

t.test('a malformed request gets exactly one problem response', async (t) => {
  for (const [name, bytes] of Object.entries(malformed)) {
    const { response } = await exchange(port, bytes);
    const [status = 0, ...more] = statusesOf(response);
    t.ok([400, 404, 414, 431, 505].includes(status) && more.length === 0, `${name}: ${response.slice(0, 60)}`);
    t.match(response, /\r\nContent-Type: application\/problem\+json/i, name);
  }
});

for (const proxy of plainProxies) {
  t.test(
    `an ambiguous or malformed request does not pass ${proxy.name} as two requests`,
    { skip: proxy.skip },
    async (t) => {
      const proxyPort = await proxy.start(t, port);
      const { response } = await exchange(proxyPort, request('GET /livez', 'Connection: close'));
      t.strictSame(statusesOf(response), [200]);
      for (const [name, bytes] of Object.entries({ ...ambiguous, ...malformed })) {
        const before = await countRows(smuggledPath);
        const statuses = statusesOf((await exchange(proxyPort, bytes, 200)).response);
        // A proxy may interpret the remaining bytes as a second request, which gets its own response. But the service
        // must not see two requests where the proxy has seen one.
        t.equal((await countRows(smuggledPath)) - before, Math.max(0, statuses.length - 1), `${name}: ${statuses}`);
        t.ok(
          statuses.every((status) => status < 502),
          `${name}: ${statuses}`,
        );
      }
    },
  );
}

t.test('pipelined requests get their responses in order, each with its row', async (t) => {
  const many = ['/livez', '/pipelined', '/livez'].map((path) => request(`GET ${path}`)).join('');
  const { response } = await exchange(port, many + request('GET /pipelined', 'Connection: close'));
  t.strictSame(statusesOf(response), [200, 404, 200, 404]);
  t.equal(await countRows('/pipelined'), 2);
});

t.test('line breaks and control characters split neither a header nor a line of the log', async (t) => {
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line) => void lines.push(line) });
  for (const text of ['%0d%0aSet-Cookie:%20a=b', '%00', '%1b[31m', '%e2%80%a8', '%u000a', "';--", '\u0085', '\u00ff']) {
    const fields = [`User-Agent: ${text}`, `X-Request-Id: ${text}`, 'Connection: close'];
    const { response } = await exchange(port, request(`GET /${text}?${text}`, ...fields));
    t.ok([400, 404].includes(statusesOf(response)[0] ?? 0), text);
    t.notMatch(response, /^set-cookie/im);
    t.match(response, /^x-request-id: [0-9a-f]{8}-[0-9a-f]{4}-7/im, 'the service generates the request id');
  }
  await app.requestLog.flush();
  for (const { path, userAgent } of await app.prisma.requestLog.findMany()) {
    t.notMatch(`${path}${userAgent}`, /[\r\n]/);
    log.warn({ path, userAgent }, `${path} ${userAgent}`);
  }
  for (const line of lines) t.equal(line.indexOf('\n'), line.length - 1);
});

t.test('no request can pollute the prototype of objects', async (t) => {
  const headers = { ...(await keyHeaders(app, 'admin')), 'content-type': 'application/json' };
  const bodies = [
    '{"__proto__":{"polluted":true}}',
    '{"name":"a","__proto__":{"polluted":true}}',
    '{"constructor":{"prototype":{"polluted":true}}}',
    '{"name":"a","scopes":{"__proto__":{"polluted":true}}}',
  ];
  for (const payload of bodies) {
    const { statusCode } = await app.inject({ method: 'POST', url: '/v1/api-keys', headers, payload });
    t.equal(statusCode, 400, payload);
  }
  for (const name of [
    '__proto__[polluted]',
    '__proto__',
    'constructor.prototype.polluted',
    'constructor',
    'toString',
  ]) {
    t.equal((await app.inject({ url: `/v1/request-logs?${name}=x`, headers })).statusCode, 400, name);
  }
  t.notOk('polluted' in {});
});

t.test('names of properties that every object has are not routes, ids or scopes', async (t) => {
  const admin = await keyHeaders(app, 'admin');
  const other = await keyHeaders(app);
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype']) {
    t.equal((await app.inject(`/${name}`)).statusCode, 404, name);
    t.equal((await app.inject({ url: `/v1/api-keys/${name}`, headers: admin })).statusCode, 400, name);
    t.equal((await app.inject({ url: `/v1/auth?scope=${name}`, headers: other })).statusCode, 403, name);
  }
});

t.test('a deep, wide or long body gets a short error, and other requests get responses meanwhile', async (t) => {
  const headers = { ...(await keyHeaders(app, 'admin')), 'content-type': 'application/json' };
  const megabyte = 2 ** 20;
  const bodies: Record<string, [payload: string, status: number]> = {
    deep: ['['.repeat(megabyte / 2 - 1) + ']'.repeat(megabyte / 2 - 1), 400],
    'deep in a field': [`{"name":${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}}`, 400],
    wide: [`{${Array.from({ length: 60_000 }, (_, i) => `"k${i}":1`).join()}}`, 400],
    'of many scopes': [`{"name":"a","scopes":[${Array(100_000).fill('"a"').join()}]}`, 400],
    long: [`{"name":"${'a'.repeat(megabyte)}"}`, 413],
    broken: ['{"name":', 400],
  };
  for (const [name, [payload, expected]] of Object.entries(bodies)) {
    const [rejected, live] = await Promise.all([
      app.inject({ method: 'POST', url: '/v1/api-keys', headers, payload }),
      app.inject('/livez'),
    ]);
    t.strictSame([rejected.statusCode, live.statusCode], [expected, 200], name);
    t.ok(rejected.body.length < 10_000, `${name}: ${rejected.body.length} bytes`);
  }
});

t.test('HEAD and OPTIONS work, other methods are rejected, and CONNECT and Upgrade have no effect', async (t) => {
  const head = await app.inject({ method: 'HEAD', url: '/' });
  t.strictSame([head.statusCode, head.body], [200, '']);
  const statusOf = async (bytes: string) => statusesOf((await exchange(port, bytes)).response);
  t.strictSame(await statusOf(request('OPTIONS /', 'Connection: close')), [204]);
  for (const method of ['TRACE', 'PUT', 'SEARCH'])
    t.strictSame(await statusOf(request(`${method} /`, 'Connection: close')), [405], method);
  t.strictSame(await statusOf(request('CONNECT example.com:443')), [], 'no tunnel');
  const upgrade = request('GET /livez', 'Connection: Upgrade, close', 'Upgrade: websocket');
  t.strictSame(await statusOf(upgrade), [200], 'no other protocol');
});

t.test('no spelling of a path bypasses its protection', async (t) => {
  const paths = [
    ...['/v1/%6de', '/v1//me', '//v1/me', '/v1/me/', '/v1/./me', '/v1/x/../me', '/v1/x/%2e%2e/me', '/v1/me;a=b'],
    ...['/V1/ME', '/v1/me%2f', '/v1%2fme', '/v1/me%00', '/v1/%c0%af/me', '/v1/me#', 'http://other/v1/me'],
    ...['/%2e%2e/%2e%2e/etc/passwd', '/documentation/..%2f..%2fpackage.json'],
    ...['/documentation/static/..%2f..%2f..%2fpackage.json', '/documentation/static/%2e%2e/%2e%2e/package.json'],
  ];
  for (const path of paths) {
    const [status = 0] = statusesOf((await exchange(port, request(`GET ${path}`, 'Connection: close'))).response);
    t.ok([400, 401, 403, 404].includes(status), `${path}: ${status}`);
  }
});
