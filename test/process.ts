import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import t from 'tap';

/** The options of `npm start`, plus `--liftoff-only`: optimizing WebAssembly does not pay off in a few seconds. */
const options = ['--use-largepages=silent', '--single-threaded-gc', '--liftoff-only'];

/**
 * Runs a file of the project as a process, which is killed when the test file ends.
 *
 * @param file in dist, or a TypeScript file
 * @returns its output so far, `waitFor` for later output, and `exited` with its exit code or signal
 */
export function run(file: string, args: string[], variables: NodeJS.ProcessEnv) {
  const node = [process.execPath, ...options, ...(file.endsWith('.ts') ? ['--import=tsx'] : []), file, ...args];
  // Set NODE_OPTIONS through `env`. Otherwise tap adds its loader, which takes a third of the time of a process.
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

/** Starts the service on a free port, and waits until it listens, and with `ready` until it is ready. */
export async function startService(variables: NodeJS.ProcessEnv, { ready = true } = {}) {
  const service = run('dist/src/server.js', [], { PORT: '0', HOST: '127.0.0.1', ...variables });
  const [, url = ''] = await service.waitFor(/listening at (http:[^"]+)/);
  if (ready) await untilStatus(`${url}/readyz`, 200);
  return { url, ...service };
}

/** Repeats a request until the response has this status. The timeout of the test is the limit. */
export async function untilStatus(url: string, status: number, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    const response = await fetch(url, init).catch(() => undefined);
    if (response?.status === status) return response;
    await response?.body?.cancel();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Returns a free port, for programs that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Whether a server listens on the port. */
export function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
