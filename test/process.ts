import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import t from 'tap';

/** Of Node.js, as the service is started; and as tap runs the tests: WebAssembly that works for seconds is not worth optimising. */
const options = ['--use-largepages=silent', '--single-threaded-gc', '--liftoff-only'];

/**
 * Runs a file of the project as a process of its own; it is killed, if need be, when the test file ends.
 *
 * @param file the service's own as they are deployed, in dist; those of the tests in TypeScript
 * @returns what it has written so far, `waitFor` what it will have written, and `exited` with its exit code or signal
 */
export function run(file: string, args: string[], variables: NodeJS.ProcessEnv) {
  const node = [process.execPath, ...options, ...(file.endsWith('.ts') ? ['--import=tsx'] : []), file, ...args];
  // Set by a program in between, for tap would add its own loader, which costs half the work of a process again.
  const child = spawn('env', [`NODE_OPTIONS=${variables.NODE_OPTIONS ?? ''}`, ...node], {
    env: { ...process.env, LOG_LEVEL: 'info', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (output.stdout += chunk));
  child.stderr.on('data', (chunk) => (output.stderr += chunk));
  const exited = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const waitFor = async (pattern: RegExp) => {
    while (!pattern.test(output.stdout)) {
      const ended = await Promise.race([once(child.stdout, 'data').then(() => false), exited.then(() => true)]);
      if (ended && !pattern.test(output.stdout)) {
        throw new Error(`${file} ended without ${pattern}:\n${output.stdout}${output.stderr}`);
      }
    }
    return pattern.exec(output.stdout) as RegExpExecArray;
  };
  return { child, exited, stdout: () => output.stdout, stderr: () => output.stderr, waitFor };
}

/** Starts the service on a free port and waits until it listens; with `ready`, until it is ready as well. */
export async function startService(variables: NodeJS.ProcessEnv, { ready = true } = {}) {
  const service = run('dist/src/server.js', [], { PORT: '0', HOST: '127.0.0.1', ...variables });
  const [, url = ''] = await service.waitFor(/listening at (http:[^"]+)/);
  if (ready) await untilStatus(`${url}/readyz`, 200);
  return { url, ...service };
}

/** Asks until the answer has this status. The test's own time-out is the limit. */
export async function untilStatus(url: string, status: number, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    const response = await fetch(url, init).catch(() => undefined);
    if (response?.status === status) return response;
    await response?.body?.cancel();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A port that was free a moment ago, for programs that take no other. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Whether somebody listens there. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
