import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Test } from 'tap';
import { acceptsConnections, freePort } from '../process.js';
import { temporaryDirectory } from '../temporary-directory.js';

/** `{ skip: needsRedis }`; in CI a missing Redis is a failure. */
export const needsRedis = !isInstalled() && !process.env.CI && 'needs redis-server';

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
    while (!(await acceptsConnections(port))) await new Promise((resolve) => setTimeout(resolve, 20));
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

function isInstalled() {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
