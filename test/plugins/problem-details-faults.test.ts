import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { clientOf, keyHeaders } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';

skipFileOnEmbedded();

const origin = 'https://app.example.com';
const variables = { LOG_LEVEL: 'silent', CORS_ORIGINS: origin, TRUST_PROXY: '10.0.0.0/8' };
const app = await buildApp(loadConfig({ ...variables, ...(await createTestDatabase()) }));
t.teardown(() => app.close());

const secret = 'password=hunter2';
app.register(async (scope) => {
  scope.addHook('onSend', async () => {
    throw new Error(secret);
  });
  scope.get('/on-send', async () => ({}));
  scope.get('/on-send-error', async () => {
    throw Object.assign(new Error('teapot'), { statusCode: 418 });
  });
});
app.get('/header', async (_request, reply) => reply.header('x-bad', `${secret}\n\u0000`).send({}));
app.get('/null', async () => {
  throw null;
});
app.get('/stream', async () =>
  Readable.from(
    (async function* () {
      yield 'the beginning';
      throw new Error(secret);
    })(),
  ),
);
app.get('/early-stream', async () =>
  Readable.from(
    // biome-ignore lint/correctness/useYield: it fails before its first chunk
    (async function* () {
      throw new Error(secret);
    })(),
  ),
);
app.get('/missing', async () => app.prisma.apiKey.update({ where: { id: 'none' }, data: { name: 'x' } }));
app.get('/duplicate', async () => {
  const data = { key: 'same', name: 'x' };
  await app.prisma.apiKey.createMany({ data, skipDuplicates: true });
  return app.prisma.apiKey.create({ data });
});
app.get('/overflow', async () =>
  app.prisma.apiKey.create({ data: { key: 'k1', name: 'x', rateLimitPerMinute: 3_000_000_000 } }),
);
app.get('/nul', async () => app.prisma.apiKey.create({ data: { key: 'k2', name: 'a\u0000b' } }));
app.get('/unknown', async () =>
  app.prisma.apiKey.create({
    data: { key: 'k3', name: 'x', colour: 'red' } as unknown as { key: string; name: string },
  }),
);
app.get('/raw-duplicate', async () => {
  await app.prisma.apiKey.createMany({ data: { key: 'same', name: 'x' }, skipDuplicates: true });
  return app.prisma.$executeRaw`INSERT INTO api_keys (id, key, name, "updatedAt") VALUES ('x', 'same', 'x', now())`;
});
app.get('/pool-duplicate', async () => {
  await app.prisma.apiKey.createMany({ data: { key: 'same', name: 'x' }, skipDuplicates: true });
  return app.database.pool.query(`INSERT INTO api_keys (id, key, name, "updatedAt") VALUES ('x', 'same', 'x', now())`);
});
app.get('/reference', async () => {
  await app.database.pool.query(
    'CREATE TABLE IF NOT EXISTS notes (id int, "keyId" text REFERENCES api_keys (id), note varchar(3))',
  );
  return app.database.pool.query(`INSERT INTO notes VALUES (1, 'nobody', 'x')`);
});
await app.listen({ port: 0, host: '127.0.0.1' });
await app.database.ready;
const { port } = app.server.address() as AddressInfo;
const url = `http://127.0.0.1:${port}`;
const request = clientOf(app, {});

t.test('after any error in a route the client gets a problem response without internals', async (t) => {
  for (const [path, status] of [
    ['/on-send', 500],
    ['/on-send-error', 500],
    ['/header', 500],
    ['/null', 500],
    ['/early-stream', 500],
  ] as const) {
    const response = await fetch(url + path, { headers: { origin } });
    const body = await response.text();
    t.equal(response.status, status, path);
    t.match(response.headers.get('content-type'), 'application/problem+json', path);
    t.match(
      JSON.parse(body),
      { status, code: 'INTERNAL_ERROR', requestId: response.headers.get('x-request-id') },
      path,
    );
    t.notMatch(body + JSON.stringify([...response.headers]), 'hunter2', path);
    t.equal(response.headers.get('access-control-allow-origin'), origin, path);
    t.ok(response.headers.get('content-security-policy'), path);
    t.equal((await app.inject(path)).statusCode, status, `${path}, injected`);
  }
});

t.test(
  'a stream that fails in the service is logged with the status of its error, not as a client disconnect',
  async (t) => {
    const outgoing = get(`${url}/stream`);
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    await t.rejects(text(response));
    const id = String(response.headers['x-request-id']);
    for (let row = null; row === null; ) {
      await app.requestLog.flush();
      row = await app.prisma.requestLog.findUnique({ where: { id } });
      if (row) t.equal(row.statusCode, 500);
    }
  },
);

t.test('data that the database rejects returns a 4xx in any route', async (t) => {
  for (const [path, status, code] of [
    ['/missing', 404, 'RECORD_NOT_FOUND'],
    ['/duplicate', 409, 'DUPLICATE'],
    ['/raw-duplicate', 409, 'DUPLICATE'],
    ['/pool-duplicate', 409, 'DUPLICATE'],
    ['/reference', 409, 'REFERENCE_CONFLICT'],
    ['/overflow', 400, 'INVALID_DATA'],
    ['/nul', 400, 'INVALID_DATA'],
    ['/unknown', 400, 'INVALID_DATA'],
  ] as const) {
    const response = await request('GET', path);
    t.match(response, { status, body: { code } }, path);
    t.notMatch(JSON.stringify(response.body), /prisma|SELECT|INSERT/i, path);
  }
  t.match((await request('GET', '/duplicate')).body.errors, [{ path: '/body/key' }]);
  t.match((await request('GET', '/pool-duplicate')).body.errors, [{ path: '/body/key' }]);
  t.match((await request('GET', '/unknown')).body.errors, [{ path: '/body/colour' }]);
});

t.test('an empty body counts as no body, whatever its media type', async (t) => {
  const headers = { ...(await keyHeaders(app, 'admin')), 'content-type': 'application/json' };
  const { id } = await app.apiKeys.create({ name: 'deleted' });
  const bare = { method: 'DELETE', headers };
  t.equal((await fetch(`${url}/v1/api-keys/${id}`, bare)).status, 204);
  t.equal((await fetch(`${url}/v1/me`, { headers })).status, 200);
});

t.test('a wrong method returns 405 with the allowed methods, and OPTIONS returns them too', async (t) => {
  for (const [method, path, allow] of [
    ['POST', '/v1/me', 'GET, HEAD, OPTIONS'],
    ['PUT', '/v1/api-keys/019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07', 'DELETE, GET, HEAD, OPTIONS, PATCH'],
    ['DELETE', '/v1/api-keys', 'GET, HEAD, OPTIONS, POST'],
  ] as const) {
    const response = await request(method, path);
    t.match(response, { status: 405, headers: { allow }, body: { code: 'METHOD_NOT_ALLOWED' } }, path);
    t.match(await request('OPTIONS', path), { status: 204, headers: { allow } });
  }
  t.equal((await request('POST', '/dashboard')).status, 404, 'a route that is hidden from the document returns 404');
  t.equal((await request('OPTIONS', '/nothing')).status, 404);
});

t.test('the body of a rejected request is not read', async (t) => {
  const heads = ['POST /nothing', 'PUT /v1/me', 'POST /v1/api-keys', 'POST /v1/auth'];
  for (const head of heads) {
    const socket = connect(port, '127.0.0.1');
    socket.write(`${head} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{`);
    const [response] = await once(socket, 'data');
    t.match(String(response), /^HTTP\/1\.1 4(01|04|05) /, `${head} gets a response although its body never ends`);
    socket.destroy();
  }
});

t.test('a browser page can read error responses that are sent before routing', async (t) => {
  const raw = async (text: string) => {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    let response = '';
    socket.on('data', (chunk) => (response += chunk));
    socket.write(text);
    await once(socket, 'close');
    return response.toLowerCase();
  };
  const large = `X-A: ${'a'.repeat(40_000)}`;
  for (const [status, bytes] of [
    [400, `GET /%zz HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\nConnection: close\r\n\r\n`],
    [404, `GET /nothing HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\nConnection: close\r\n\r\n`],
    [414, `GET /v1/api-keys/${'a'.repeat(500)} HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\nConnection: close\r\n\r\n`],
    [431, `GET / HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\n${large}\r\n\r\n`],
  ] as const) {
    const response = await raw(bytes);
    t.match(response, `http/1.1 ${status} `);
    t.match(response, `access-control-allow-origin: ${origin}`, String(status));
    t.notMatch(await raw(bytes.replace(origin, 'https://evil.example')), 'access-control-allow-origin', String(status));
  }
});

t.test(
  'the x-request-id of a trusted proxy is kept as incomingRequestId; invalid and untrusted ones are ignored',
  async (t) => {
    const send = (remoteAddress: string, id: string) =>
      app.inject({ url: '/nothing', remoteAddress, headers: { 'x-request-id': id } });
    const kept = await send('10.0.0.1', 'trace-1/2:3');
    t.match(kept.json(), { incomingRequestId: 'trace-1/2:3', requestId: kept.headers['x-request-id'] });
    for (const [from, id] of [
      ['11.0.0.1', 'trace'],
      ['10.0.0.1', 'a b'],
      ['10.0.0.1', 'x'.repeat(129)],
    ] as const)
      t.equal((await send(from, id)).json().incomingRequestId, undefined);
  },
);
