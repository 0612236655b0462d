import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Environment } from '../src/config/index.js';
import { BenchError } from './bench-error.js';

/** The CPU time of a process since its start, and its current memory. */
export interface Usage {
  /** In user and kernel mode, of all its threads. */
  cpuMicroseconds: number;
  residentBytes: number;
}

const pollIntervalMs = 10;
const startDeadlineMs = 60_000;
const stopDeadlineMs = 30_000;
const maxOutputLength = 4_000;

/** A server in a separate process, whose CPU and memory are measured. */
export class ServerProcess {
  readonly origin: string;
  private readonly child: ChildProcess;
  private readonly exited = new AbortController();
  private output = '';

  private constructor(args: readonly string[], env: NodeJS.ProcessEnv, directory: string, port: number) {
    this.origin = `http://127.0.0.1:${port}`;
    const probe = new URL('probe.js', import.meta.url).href;
    this.child = spawn(process.execPath, ['--import', probe, ...args], {
      // In a directory without a .env file.
      cwd: directory,
      env: { ...withoutSettings(process.env), NODE_ENV: 'production', HOST: '127.0.0.1', PORT: `${port}`, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output = (this.output + text).slice(-maxOutputLength);
      });
    }
    this.child.once('exit', (code, signal) => {
      this.exited.abort(
        new BenchError(`the server ended (${signal ?? `exit code ${code}`}). Its output:\n${this.output}`),
      );
    });
  }

  /** @param args the arguments of node: options and the script */
  static async start(args: readonly string[], env: NodeJS.ProcessEnv, directory: string): Promise<ServerProcess> {
    return new ServerProcess(args, env, directory, await freePort());
  }

  /**
   * Waits until the server responds to `path` with a 2xx.
   *
   * @throws BenchError when the server ends, or does not respond so within a minute
   */
  async waitForOk(path: string, signal: AbortSignal, headers: Record<string, string> = {}): Promise<void> {
    const deadline = performance.now() + startDeadlineMs;
    while (performance.now() < deadline) {
      const response = await this.get(path, signal, headers).catch(() => undefined);
      await response?.arrayBuffer();
      if (response?.ok) return;
      AbortSignal.any([signal, this.exited.signal]).throwIfAborted();
      await sleep(pollIntervalMs);
    }
    throw new BenchError(`${path} does not answer. The server's output:\n${this.output}`);
  }

  /** @throws when the server does not respond or has ended, or `signal` is aborted */
  async get(path: string, signal: AbortSignal, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.origin + path, { headers, signal: AbortSignal.any([signal, this.exited.signal]) });
  }

  /** Sends JSON. @throws when the server does not respond or has ended, or `signal` is aborted */
  async post(path: string, body: object, signal: AbortSignal, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.origin + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, this.exited.signal]),
    });
  }

  /** @throws BenchError when the server has ended */
  async usage(): Promise<Usage> {
    this.exited.signal.throwIfAborted();
    const answer = once(this.child, 'message', { signal: this.exited.signal });
    this.child.send('usage');
    const [usage] = (await answer.catch(() => this.exited.signal.throwIfAborted())) as [Usage];
    return usage;
  }

  /** Stops the server with SIGTERM, and kills it after 30 s. @throws BenchError when it does not exit with code 0 */
  async stop(): Promise<void> {
    if (this.exited.signal.aborted) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const killTimer = setTimeout(() => this.child.kill('SIGKILL'), stopDeadlineMs);
    const [code, signal] = await exit;
    clearTimeout(killTimer);
    if (code !== 0)
      throw new BenchError(`a server did not stop cleanly (${signal ?? code}). Its output:\n${this.output}`);
  }
}

/** Removes the service's variables, so that its defaults are measured. */
function withoutSettings(env: NodeJS.ProcessEnv) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !(name in Environment.properties)));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new BenchError('no free port was found');
  return address.port;
}
