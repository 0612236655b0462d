import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { accepts, freePort } from '../process.js';

/** `{ skip: needsRedis }`; in CI a missing one is a failure. */
export const needsRedis = !isInstalled() && !process.env.CI && 'needs redis-server';

/** A Redis of this test's own, which can be taken away; gone when the test ends. */
export async function startRedis(t: Test, ...options: string[]) {
  const directory = mkdtempSync(join(tmpdir(), 'musicez-redis-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  let stop = await start();
  t.teardown(() => stop());

  async function start() {
    const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', directory, ...options];
    const server = spawn('redis-server', args, { stdio: 'ignore' });
    const gone = once(server, 'exit');
    while (!(await accepts(port))) await new Promise((resolve) => setTimeout(resolve, 20));
    return Object.assign(
      async () => {
        server.kill('SIGCONT');
        server.kill('SIGKILL');
        await gone;
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
    /** Goes silent, and keeps its connections. */
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
