import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { BreakableDatabase } from '../plugins/database/proxy.js';
import { startService } from '../process.js';

skipFileOnEmbedded();
t.setTimeout(120_000);

/** A container of this size must survive what a client without a key can send. */
const limitMb = 256;

/** Returns the peak resident memory of a process in MiB. */
function peakMb(pid: number | undefined): number {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

const needsProc = process.platform === 'linux' ? false : 'needs Linux: reads /proc';

t.test(
  'the service needs less than 256 MiB with 480 clients that send endless bodies',
  { skip: needsProc },
  async (t) => {
    const service = await startService(await createTestDatabase());
    const { hostname, port } = new URL(service.url);
    const chunk = Buffer.alloc(65_536, 'x');
    const sockets: Socket[] = [];
    for (let i = 0; i < 480; i++) {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => {});
      socket.write(
        `POST /${['v1/nowhere', 'v1/me', 'v1/api-keys', 'livez'][i % 4]} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n`,
      );
      const send = () => {
        if (socket.destroyed) return;
        socket.write(`${chunk.length.toString(16)}\r\n`);
        socket.write(chunk);
        if (socket.write('\r\n')) setImmediate(send);
        else socket.once('drain', send);
      };
      socket.once('connect', send);
      sockets.push(socket);
    }
    // Waits until the service has closed all connections, for three seconds at most.
    await Promise.race([Promise.all(sockets.map((socket) => once(socket, 'close'))), sleep(3_000)]);
    t.equal((await fetch(`${service.url}/livez`)).status, 200);
    const peak = peakMb(service.child.pid);
    t.comment(`peak ${Math.round(peak)} MB`);
    t.ok(peak < limitMb, `${peak} MB`);
    for (const socket of sockets) socket.destroy();
  },
);

t.test(
  'the service needs less than 256 MiB with 600 unknown keys a second while the database does not respond',
  { skip: needsProc },
  async (t) => {
    const own = await createTestDatabase();
    const database = new BreakableDatabase(own.DATABASE_URL ?? '');
    await database.listen();
    const service = await startService({ ...own, DATABASE_URL: database.url, TRUST_PROXY: '127.0.0.1' });
    database.delay(600_000);
    const agent = new Agent({ keepAlive: true, maxSockets: 2_000 });
    const statuses = new Map<number | undefined, number>();
    const responses: Promise<void>[] = [];
    for (let second = 0; second < 10; second++) {
      for (let i = 0; i < 600; i++) {
        // Each request has another address, so that none exceeds its limit.
        const headers = {
          'x-api-key': generateKey('mez'),
          'x-forwarded-for': `2001:db8:${second}:${i.toString(16)}::1`,
        };
        const outgoing = request(`${service.url}/v1/me`, { agent, headers });
        outgoing.end();
        responses.push(
          once(outgoing, 'response').then(([response]) => {
            statuses.set(response.statusCode, (statuses.get(response.statusCode) ?? 0) + 1);
            response.resume();
          }),
        );
      }
      await sleep(1_000);
    }
    await Promise.all(responses);
    agent.destroy();
    t.strictSame([...statuses.keys()], [503], 'each request gets a response');
    const peak = peakMb(service.child.pid);
    t.comment(`peak ${Math.round(peak)} MB`);
    t.ok(peak < limitMb, `${peak} MB`);
  },
);
