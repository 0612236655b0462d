import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { Test } from 'tap';
import { isInstalled } from '../../installed.js';
import { acceptsConnections, freePort } from '../../process.js';
import { temporaryDirectory } from '../../temporary-directory.js';

/** `{ skip: needsRedis }`; in CI a missing Redis is a failure. */
export const needsRedis = !isInstalled('redis-server', ['--version']) && !process.env.CI && 'needs redis-server';

/** Starts a Redis server that the test can stop and freeze. */
export async function startRedis(t: Test, ...options: string[]) {
  const directory = temporaryDirectory(t);
  const port = await freePort();
  let stop = await start();
  t.teardown(() => stop());

  async function start() {
    const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', directory, ...options];
    const server = spawn('redis-server', args, { stdio: 'ignore' });
    const exited = once(server, 'exit');
    while (!(await acceptsConnections(port))) {
      if (server.exitCode !== null) throw new Error(`redis-server ended with ${server.exitCode}: ${args.join(' ')}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return Object.assign(
      async () => {
        server.kill('SIGCONT');
        server.kill('SIGKILL');
        await exited;
      },
      { freeze: () => server.kill('SIGSTOP'), thaw: () => server.kill('SIGCONT') },
    );
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    async start() {
      stop = await start();
    },
    stop: () => stop(),
    /** Sends one command, such as REPLICAOF. */
    async command(...words: string[]) {
      const socket = connect(port, '127.0.0.1');
      socket.write(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`);
      await once(socket, 'data');
      socket.destroy();
    },
    /** Redis stops responding, but keeps its connections. */
    freeze: () => stop.freeze(),
    thaw: () => stop.thaw(),
  };
}

/** Starts a Sentinel that promotes the replica within seconds after the primary has stopped. @returns its URL for the service */
export async function startSentinel(t: Test, primary: { url: string }): Promise<string> {
  const config = join(temporaryDirectory(t), 'sentinel.conf');
  writeFileSync(
    config,
    [
      `sentinel monitor main 127.0.0.1 ${new URL(primary.url).port} 1`,
      'sentinel down-after-milliseconds main 500',
      'sentinel failover-timeout main 2000',
    ].join('\n'),
  );
  const port = await freePort();
  const sentinel = spawn('redis-server', [config, '--sentinel', '--port', `${port}`, '--bind', '127.0.0.1'], {
    stdio: 'ignore',
  });
  t.teardown(() => sentinel.kill('SIGKILL'));
  while (!(await acceptsConnections(port))) await new Promise((resolve) => setTimeout(resolve, 20));
  const client = new Redis(port, '127.0.0.1');
  while (!String(await client.call('SENTINEL', 'REPLICAS', 'main')).includes('slave'))
    await new Promise((resolve) => setTimeout(resolve, 100));
  client.disconnect();
  return `redis://127.0.0.1:${port}?sentinel=main`;
}

type Server = Awaited<ReturnType<typeof startRedis>>;

/** Starts a Redis Cluster of three servers, each with a third of the keys. */
export async function startRedisCluster(t: Test): Promise<[Server, Server, Server]> {
  const start = async () => {
    const busPort = await freePort();
    const server = await startRedis(t, '--cluster-enabled', 'yes', '--cluster-port', `${busPort}`);
    return { server, busPort, client: new Redis(server.url) };
  };
  const nodes = [await start(), await start(), await start()] as const;
  const slots = 16_384;
  for (const [i, { client }] of nodes.entries()) {
    const [first, next] = [i, i + 1].map((part) => Math.floor((part * slots) / nodes.length)) as [number, number];
    await client.call('CLUSTER', 'ADDSLOTSRANGE', first, next - 1);
    for (const { server, busPort } of nodes)
      await client.call('CLUSTER', 'MEET', '127.0.0.1', new URL(server.url).port, busPort);
  }
  for (const { client } of nodes) {
    while (!String(await client.call('CLUSTER', 'INFO')).includes('cluster_state:ok'))
      await new Promise((resolve) => setTimeout(resolve, 50));
    client.disconnect();
  }
  return nodes.map(({ server }) => server) as [Server, Server, Server];
}
