import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { keyHeaders } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';

skipFileOnEmbedded();

const app = await buildApp(loadConfig({ LOG_LEVEL: 'silent', ...(await createTestDatabase()) }));
t.teardown(() => app.close());
app.get('/broken', async () => {
  throw new Error('password=hunter2');
});
app.get('/teapot', async () => {
  throw Object.assign(new Error('short and stout'), { statusCode: 418 });
});
await app.listen({ port: 0, host: '127.0.0.1' });
await app.database.ready;
const { port } = app.server.address() as AddressInfo;
const admin = await keyHeaders(app, 'admin');

async function post(body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) {
  const init = { method: 'POST', body, headers: { ...admin, ...headers } };
  return problemOf(await fetch(`http://127.0.0.1:${port}/v1/api-keys`, init));
}

async function problemOf(response: Response) {
  const problem = (await response.json()) as Record<string, unknown>;
  t.match(response.headers.get('content-type'), /^application\/problem\+json/);
  t.equal(problem.requestId, response.headers.get('x-request-id'));
  t.equal(problem.status, response.status);
  t.notMatch(JSON.stringify(problem), /node_modules|\.ts:/, 'no stack trace');
  return problem;
}

t.test('an invalid body returns a 4xx with the reason', async (t) => {
  t.match(await post('{"name":'), { status: 400, code: 'INVALID_JSON_BODY' });
  t.match(await post(''), { status: 400, code: 'VALIDATION_FAILED', errors: [{ path: '/body' }] });
  t.match(await post('null'), { status: 400, code: 'VALIDATION_FAILED', errors: [{ path: '/body' }] });
  t.match(await post('[]'), { status: 400, errors: [{ path: '/body', message: 'must be object' }] });
  t.match(await post('{"__proto__":{"a":1},"name":"x"}'), { status: 400 });
  t.match(await post('name=x', { 'content-type': 'application/x-www-form-urlencoded' }), {
    status: 415,
    code: 'INVALID_MEDIA_TYPE',
  });
  t.match(await post(JSON.stringify({ name: 'x'.repeat(2 ** 20) })), { status: 413, code: 'BODY_TOO_LARGE' });
});

t.test('a client gets a 413 while it sends a body that is too large, and keeps its connection', async (t) => {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  t.teardown(() => socket.destroy());
  let received = '';
  socket.on('data', (chunk) => (received += chunk));
  const until = async (pattern: RegExp) => {
    while (!pattern.test(received)) await once(socket, 'data');
  };
  const megabyte = 'x'.repeat(2 ** 20);
  const requestHead = (headers: string) =>
    `POST /v1/api-keys HTTP/1.1\r\nHost: a\r\nAuthorization: ${admin.authorization}\r\nContent-Type: application/json\r\n${headers}\r\n\r\n`;
  socket.write(requestHead('Content-Length: 4194304'));
  await until(/ 413 .*BODY_TOO_LARGE/s);
  socket.write(megabyte.repeat(4));
  received = '';
  socket.write(`${requestHead('Transfer-Encoding: chunked')}200000\r\n${megabyte}x`);
  await until(/ 413 .*BODY_TOO_LARGE/s);
  socket.write(`${megabyte.slice(1)}\r\n0\r\n\r\n`);
  received = '';
  socket.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(/ 200 /);
});

t.test('an unknown path returns 404', async (t) => {
  const response = await fetch(`http://127.0.0.1:${port}/nothing/here?secret=1`);
  const problem = await problemOf(response);
  t.match(problem, { type: 'about:blank', title: 'Not Found', status: 404, code: 'NOT_FOUND' });
  t.equal(problem.detail, 'there is no GET /nothing/here');
});

t.test('the message of an unexpected error is not sent to the client', async (t) => {
  const problem = await problemOf(await fetch(`http://127.0.0.1:${port}/broken`));
  t.match(problem, { status: 500, code: 'INTERNAL_ERROR' });
  t.notMatch(JSON.stringify(problem), 'hunter2');
});

t.test("a route's own client error keeps its status and its message", async (t) => {
  const problem = await problemOf(await fetch(`http://127.0.0.1:${port}/teapot`));
  t.match(problem, { status: 418, title: "I'm a Teapot", detail: 'short and stout' });
});

t.test('a path that cannot be decoded returns 400 with the security headers', async (t) => {
  const response = await fetch(`http://127.0.0.1:${port}/%zz?secret=1`);
  t.ok(response.headers.get('content-security-policy'));
  const problem = await problemOf(response);
  t.match(problem, { status: 400, code: 'BAD_URL' });
  t.notMatch(problem.detail, 'secret');
});

for (const [name, bytes, status] of [
  ['bytes that are not HTTP', 'hello\r\n\r\n', 400],
  ['a header with a control character', 'GET / HTTP/1.1\r\nHost: x\r\nX-A: \u0001\r\n\r\n', 400],
  [
    'two different Content-Length headers',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    400,
  ],
  ['a request without Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
  ['headers that are too large', `GET / HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(40_000)}\r\n\r\n`, 431],
] as const) {
  t.test(`the response to ${name} is a problem, and the connection is closed`, async (t) => {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    let response = '';
    socket.on('data', (chunk) => (response += chunk));
    socket.write(bytes);
    await once(socket, 'close');
    const [head = '', body = ''] = response.split('\r\n\r\n');
    t.match(head, new RegExp(`^HTTP/1\\.1 ${status} `));
    const problem = JSON.parse(body);
    t.match(problem, { status });
    t.match(head.toLowerCase(), `x-request-id: ${problem.requestId}`);
  });
}

t.test('an unknown Expect header is ignored', async (t) => {
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /livez HTTP/1.1\r\nHost: x\r\nExpect: cake\r\nConnection: close\r\n\r\n');
  const [response] = await once(socket, 'data');
  t.match(String(response), /^HTTP\/1\.1 200 /);
});

t.test('the reason of failed key lookups is logged once for many requests', async (t) => {
  const warnings: object[] = [];
  t.intercept(app.log, 'warn', {
    value: (line: object, message: string) => message === 'keys cannot be looked up' && warnings.push(line),
  });
  await app.database.pool.query('ALTER TABLE api_keys RENAME TO elsewhere');
  for (let i = 0; i < 3; i++) {
    const response = await fetch(`http://127.0.0.1:${port}/v1/me`, { headers: { 'x-api-key': generateKey('mez') } });
    t.match(await problemOf(response), { status: 503, code: 'DATABASE_UNAVAILABLE' });
  }
  await app.database.pool.query('ALTER TABLE elsewhere RENAME TO api_keys');
  t.match(warnings, [{ reason: /does not exist/ }]);
  t.equal(warnings.length, 1);
});
