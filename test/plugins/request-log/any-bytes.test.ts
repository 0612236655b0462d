import { deepEqual } from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { buildApp } from '../../../src/app.js';
import { loadConfig } from '../../../src/config/index.js';
import { ownDatabase } from '../../database.js';

const app = await buildApp(
  loadConfig({ LOG_LEVEL: 'silent', TRUST_PROXY: 'true', REQUEST_LOG_FLUSH_MS: '5', ...(await ownDatabase()) }),
);
t.teardown(() => app.close());
await app.listen({ port: 0, host: '127.0.0.1' });
await app.database.ready;
const { port } = app.server.address() as AddressInfo;

/** Sends bytes as they are, and returns all that comes back until the server ends the connection. */
async function exchange(bytes: Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString('latin1'))).on('error', () => {});
  socket.write(bytes);
  await once(socket, 'close');
  return answer;
}

const anyBytes = (unit: fc.Arbitrary<number>, maxLength: number) =>
  fc.array(unit, { maxLength }).map((bytes) => Buffer.from(bytes).toString('latin1'));
// What Node.js's parser lets through, and now and then what it does not.
const anyByte = { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) };
const visible = fc.integer({ min: 0x21, max: 0x7e });
const targetByte = fc.oneof({ weight: 300, arbitrary: visible }, anyByte);
const fieldByte = fc.oneof(
  { weight: 100, arbitrary: visible },
  { weight: 100, arbitrary: fc.integer({ min: 0x80, max: 0xff }) },
  { weight: 100, arbitrary: fc.constantFrom(...Buffer.from(' \t"\\{},%')) },
  anyByte,
);

t.test('whatever bytes a request has, an accepted one is one row, and no batch breaks', async (t) => {
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
      const answers = await Promise.all(
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
      // By way of the spool, where the database takes its time.
      do await app.requestLog.flush();
      while (app.requestLog.counts.buffered + app.requestLog.counts.spooled > 0);
      const { accepted, written, dropped } = app.requestLog.counts;
      const ids = answers.map((answer) => /^x-request-id: (\S+)/im.exec(answer)?.[1]);
      const { rows } = await app.database.pool.query('SELECT id FROM request_logs WHERE id = ANY ($1)', [ids]);
      const status = answers.map((answer) => Number(answer.slice(9, 12)));
      deepEqual(
        {
          notUnderstood: status.filter((code) => !(code >= 200 && code < 500)),
          withoutId: answers.filter((_, index) => !ids[index]),
          accepted: accepted - before.accepted,
          written: written - before.written,
          dropped,
        },
        { notUnderstood: [], withoutId: [], accepted: rows.length, written: rows.length, dropped: 0 },
      );
    }),
    { numRuns: 150 },
  );
  t.ok(app.requestLog.counts.written > 100, 'and most of them were accepted');
});
