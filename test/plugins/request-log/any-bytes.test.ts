import { deepEqual } from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { buildApp } from '../../../src/app.js';
import { loadConfig } from '../../../src/config/index.js';
import { createTestDatabase } from '../../database.js';

const app = await buildApp(
  loadConfig({ LOG_LEVEL: 'silent', TRUST_PROXY: 'true', REQUEST_LOG_FLUSH_MS: '5', ...(await createTestDatabase()) }),
);
t.teardown(() => app.close());
await app.listen({ port: 0, host: '127.0.0.1' });
await app.database.ready;
const { port } = app.server.address() as AddressInfo;

/** Sends raw bytes, and returns all data until the server closes the connection. */
async function exchange(bytes: Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let response = '';
  socket.on('data', (chunk) => (response += chunk.toString('latin1'))).on('error', () => {});
  socket.write(bytes);
  await once(socket, 'close');
  return response;
}

const anyBytes = (unit: fc.Arbitrary<number>, maxLength: number) =>
  fc.array(unit, { maxLength }).map((bytes) => Buffer.from(bytes).toString('latin1'));
// Bytes that Node.js' parser accepts, and some that it rejects.
const anyByte = { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) };
const visible = fc.integer({ min: 0x21, max: 0x7e });
const targetByte = fc.oneof({ weight: 300, arbitrary: visible }, anyByte);
const fieldByte = fc.oneof(
  { weight: 100, arbitrary: visible },
  { weight: 100, arbitrary: fc.integer({ min: 0x80, max: 0xff }) },
  { weight: 100, arbitrary: fc.constantFrom(...Buffer.from(' \t"\\{},%')) },
  anyByte,
);

t.test('every accepted request is one row, whatever bytes it has, and no batch fails', async (t) => {
  const request = fc.record({
    method: fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'PROPFIND', 'M-SEARCH', 'BREW'),
    target: anyBytes(targetByte, 60),
    userAgent: anyBytes(fieldByte, 40),
    forwardedFor: anyBytes(fieldByte, 40),
    authorization: anyBytes(fieldByte, 40),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 8 }), async (requests) => {
      const before = app.requestLog.counts;
      const responses = await Promise.all(
        requests.map(({ method, target, userAgent, forwardedFor, authorization }) =>
          exchange(
            Buffer.from(
              `${method} /${target} HTTP/1.1\r\nHost: x\r\nUser-Agent: ${userAgent}\r\nX-Forwarded-For: ${forwardedFor}\r\n` +
                `Authorization: Bearer ${authorization}\r\nConnection: close\r\n\r\n`,
              'latin1',
            ),
          ),
        ),
      );
      // Records go through the spool if the database is slow.
      do await app.requestLog.flush();
      while (app.requestLog.counts.buffered + app.requestLog.counts.spooled > 0);
      const { accepted, written, dropped } = app.requestLog.counts;
      const ids = responses.map((response) => /^x-request-id: (\S+)/im.exec(response)?.[1]);
      const { rows } = await app.database.pool.query('SELECT id FROM request_logs WHERE id = ANY ($1)', [ids]);
      const status = responses.map((response) => Number(response.slice(9, 12)));
      deepEqual(
        {
          unexpectedStatuses: status.filter((code) => !(code >= 200 && code < 500)),
          withoutId: responses.filter((_, index) => !ids[index]),
          accepted: accepted - before.accepted,
          written: written - before.written,
          dropped,
        },
        { unexpectedStatuses: [], withoutId: [], accepted: rows.length, written: rows.length, dropped: 0 },
      );
    }),
    { numRuns: 150 },
  );
  t.ok(app.requestLog.counts.written > 100, 'more than 100 requests were accepted');
});
