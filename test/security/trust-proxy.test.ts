import { once } from 'node:events';
import { connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { clientOf, keyHeaders, startApp } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { startService } from '../process.js';

skipFileOnEmbedded();

const peer = '203.0.113.7';
const forgedHeaders = {
  'x-forwarded-for': '192.0.2.1',
  'x-real-ip': '192.0.2.2',
  forwarded: 'for=192.0.2.3;host=lie.example;proto=https',
  'x-client-ip': '192.0.2.4',
  'cf-connecting-ip': '192.0.2.5',
  'true-client-ip': '192.0.2.6',
};

/** Returns the address of a request in the request log. The timeout of the test is the limit. */
async function loggedIp(app: FastifyInstance, remoteAddress: string, headers: Record<string, string>) {
  const response = await app.inject({ url: '/', remoteAddress, headers });
  const id = String(response.headers['x-request-id']);
  for (;;) {
    await app.requestLog.flush();
    const row = await app.prisma.requestLog.findUnique({ where: { id } });
    if (row) return row.ip;
  }
}

/** Creates a key, and returns the address in its event. */
async function eventIp(app: FastifyInstance, remoteAddress: string, headers: Record<string, string>) {
  const admin = await keyHeaders(app, 'admin');
  const all = { ...headers, ...admin };
  const made = await app.inject({
    method: 'POST',
    url: '/v1/api-keys',
    remoteAddress,
    headers: all,
    payload: { name: 'x' },
  });
  const [event] = await app.apiKeys.listKeyEvents(made.json().id, 1);
  return event?.ip;
}

/** Sends 65 unknown keys from one peer, each with another X-Forwarded-For. @returns how many get a 401 */
async function countUnthrottledGuesses(app: FastifyInstance, remoteAddress: string) {
  let unthrottled = 0;
  for (let i = 0; i < 65; i++) {
    const headers = { ...forgedHeaders, 'x-forwarded-for': `198.51.100.${i}`, 'x-api-key': generateKey('mez') };
    const { statusCode } = await app.inject({ url: '/v1/me', remoteAddress, headers });
    if (statusCode === 401) unthrottled++;
  }
  return unthrottled;
}

t.test('without TRUST_PROXY, headers with client addresses have no effect', async (t) => {
  for (const TRUST_PROXY of ['', 'false']) {
    const app = await startApp({ ...(await createTestDatabase()), TRUST_PROXY });
    t.equal(await loggedIp(app, peer, forgedHeaders), peer);
    t.equal(await loggedIp(app, '127.0.0.1', forgedHeaders), '127.0.0.1', 'this machine is not trusted either');
    t.equal(await eventIp(app, peer, forgedHeaders), peer);
    t.equal(await countUnthrottledGuesses(app, peer), 60);
  }
});

t.test('with a list of proxies, the client is the last address that is not a proxy', async (t) => {
  const app = await startApp({
    ...(await createTestDatabase()),
    TRUST_PROXY: 'loopback, 10.0.0.0/8, fd00::/8, 203.0.113.80',
  });
  const cases: [from: string, forwardedFor: string, expected: string][] = [
    ['127.0.0.1', '192.0.2.1', '192.0.2.1'],
    ['127.9.9.9', '192.0.2.1', '192.0.2.1'],
    ['::1', '192.0.2.1', '192.0.2.1'],
    ['::ffff:127.0.0.1', '192.0.2.1', '192.0.2.1'],
    ['10.255.0.1', '192.0.2.1', '192.0.2.1'],
    ['::ffff:10.1.2.3', '192.0.2.1', '192.0.2.1'],
    ['fd12::1', '2001:db8::1', '2001:db8::1'],
    ['203.0.113.80', '192.0.2.1', '192.0.2.1'],
    ['10.0.0.1', '6.6.6.6, 192.0.2.1', '192.0.2.1'],
    ['10.0.0.1', '6.6.6.6, 192.0.2.1, 10.0.0.2,127.0.0.1', '192.0.2.1'],
    ['10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['10.0.0.1', '', '10.0.0.1'],
    ['11.0.0.1', '192.0.2.1', '11.0.0.1'],
    ['203.0.113.81', '192.0.2.1', '203.0.113.81'],
    ['fe80::1', '192.0.2.1', 'fe80::1'],
    ['::ffff:11.0.0.1', '192.0.2.1', '11.0.0.1'],
  ];
  for (const [from, forwardedFor, expected] of cases)
    t.equal(
      await loggedIp(app, from, { ...forgedHeaders, 'x-forwarded-for': forwardedFor }),
      expected,
      `${from}: ${forwardedFor}`,
    );
  t.equal(await eventIp(app, '10.0.0.1', forgedHeaders), '192.0.2.1');
  t.equal(await eventIp(app, peer, forgedHeaders), peer);
  t.equal(await countUnthrottledGuesses(app, '10.0.0.1'), 65, 'each client of the proxy has its own limit');
  t.equal(await countUnthrottledGuesses(app, peer), 60);
});

t.test('true trusts every peer, and uses the first address of the list', async (t) => {
  const app = await startApp({ ...(await createTestDatabase()), TRUST_PROXY: 'true' });
  t.equal(await loggedIp(app, peer, { ...forgedHeaders, 'x-forwarded-for': '192.0.2.1, 10.0.0.1' }), '192.0.2.1');
  const { 'x-forwarded-for': _, ...others } = forgedHeaders;
  t.equal(await loggedIp(app, peer, others), peer, 'no other header counts');
});

t.test('X-Forwarded-Host, X-Forwarded-Proto and X-Forwarded-Port do not change any response', async (t) => {
  const app = await startApp({ ...(await createTestDatabase()), TRUST_PROXY: 'true' });
  const admin = await keyHeaders(app, 'admin');
  const forwarded = { 'x-forwarded-host': 'lie.example', 'x-forwarded-proto': 'gopher', 'x-forwarded-port': '99' };
  const urls = [
    '/',
    '/documentation',
    '/documentation/json',
    '/documentation/static/index.html',
    '/v1/me',
    '/nothing',
    '/%zz',
  ];
  for (const url of urls) {
    const responses = await Promise.all(
      [{}, forwarded].map((more) => app.inject({ url, headers: { ...admin, ...more } })),
    );
    const [plain, forged] = responses.map(({ statusCode, headers, body }) => {
      const { date, 'x-request-id': id, ...rest } = headers;
      return { statusCode, rest, body: body.replaceAll(String(id), '') };
    });
    t.strictSame(forged, plain, url);
  }
  const made = await clientOf(app, { ...admin, ...forwarded })('POST', '/v1/api-keys', { name: 'x' });
  t.equal(made.headers.location, `/v1/api-keys/${made.body.id}`);
});

t.test('a malformed X-Forwarded-For never splits a log line, and is a 400 only with control characters', async (t) => {
  const key = generateKey('mez');
  const service = await startService({
    ...(await createTestDatabase()),
    TRUST_PROXY: 'true',
    LOG_LEVEL: 'trace',
    BOOTSTRAP_ADMIN_KEY: key,
  });
  const { port } = new URL(service.url);
  const exchange = async (forwardedFor: string, path: string, presented: string) => {
    const socket = connect(Number(port), '127.0.0.1').on('error', () => {});
    let response = '';
    socket.on('data', (chunk) => (response += chunk.toString('latin1')));
    const head = `GET ${path} HTTP/1.1\r\nHost: x\r\nX-Api-Key: ${presented}\r\nX-Forwarded-For: ${forwardedFor}\r\n`;
    socket.write(Buffer.from(`${head}Connection: close\r\n\r\n`, 'latin1'));
    await once(socket, 'close');
    return { status: Number(response.slice(9, 12)), id: /^x-request-id: (\S+)/im.exec(response)?.[1] };
  };
  const rejected = ['1.2.3.4\r\n 5.6.7.8', '1.2.3.4\n{"level":60}', '1.2.3.4\rX: y', '\u0000', '\u001b[2J', '\u007f'];
  for (const text of rejected) t.equal((await exchange(text, '/v1/me', key)).status, 400, JSON.stringify(text));
  const accepted = [
    ...[
      '',
      ' ',
      ',',
      ',,1.2.3.4',
      'unknown',
      '_hidden',
      'localhost',
      '1.2.3',
      '1.2.3.4:5',
      '[::1]:80',
      '::ffff:1.2.3.4',
    ],
    ...[
      'fe80::1%eth0',
      '::1%\u00ff',
      '999.999.999.999',
      '1.2.3.4/8',
      "';--",
      '"{\\',
      '<script>',
      '%0d%0a',
      '\u0080\u00ff\u00a0',
    ],
    ...['\u00e2\u0080\u00ae', '\t1.2.3.4\t', '1'.repeat(12_000), `${'1.2.3.4,'.repeat(1_500)}5.6.7.8`, '__proto__'],
    '1.2.3.4\r\nX-Forwarded-For: 5.6.7.8',
  ];
  const ids: string[] = [];
  for (const text of accepted) {
    const withValidKey = await exchange(text, '/v1/me', key);
    t.equal(withValidKey.status, 200, JSON.stringify(text.slice(0, 50)));
    ids.push(withValidKey.id ?? '');
    const withUnknownKey = await exchange(text, '/v1/me', generateKey('mez'));
    t.equal(withUnknownKey.status, 401, JSON.stringify(text.slice(0, 50)));
  }
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
  const lines = service
    .stdout()
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('{"level":'));
  t.strictSame(lines, []);
  t.equal(service.stderr(), '');
  t.equal(new Set(ids).size, accepted.length);
});
