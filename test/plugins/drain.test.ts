import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import Fastify from 'fastify';
import t from 'tap';
import drain from '../../plugins/drain.js';

async function start(requestsDeadlineMs: number) {
  const app = Fastify({ return503OnClosing: false });
  await app.register(drain, { delayMs: 0, requestsDeadlineMs });
  app.get('/', async () => 'answer');
  await app.listen({ port: 0, host: '127.0.0.1' });
  t.teardown(() => app.close());
  return { app, port: (app.server.address() as AddressInfo).port };
}

async function send(port: number, text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

t.test('keep-alive connections and connections without a request do not delay the shutdown', async (t) => {
  const { app, port } = await start(60_000);
  const keptAlive = await send(port, request);
  await once(keptAlive, 'data');
  const silent = await send(port, '');
  const ended = Promise.all([keptAlive, silent].map((socket) => once(socket, 'close')));
  await app.drain.stop();
  await ended;
  t.equal(app.drain.isDraining, true);
});

t.test('an incomplete request delays the shutdown only until the deadline', async (t) => {
  const { app, port } = await start(150);
  const arrived = once(app.server, 'connection');
  const incomplete = await send(port, request.slice(0, 20));
  const [socket] = (await arrived) as [Socket];
  while (socket.bytesRead === 0) await new Promise((resolve) => setImmediate(resolve));
  const ended = once(incomplete, 'close');
  await app.drain.stop();
  await ended;
  t.pass();
});
