import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Environment } from '../src/config/index.js';
import { BenchError } from './bench-error.js';

/** What a process has used since its start. */
export interface Usage {
  /** In user and kernel mode, of all its threads. */
  cpuMicroseconds: number;
  residentBytes: number;
}

const pollEveryMs = 10;
const startDeadlineMs = 60_000;
const stopDeadlineMs = 30_000;
const keptOutputLength = 4_000;

/** A server in a process of its own, measured from outside. */
export class ServerProcess {
  readonly origin: string;
  private readonly child: ChildProcess;
  private readonly gone = new AbortController();
  private output = '';

  private constructor(args: readonly string[], env: NodeJS.ProcessEnv, directory: string, port: number) {
    this.origin = `http://127.0.0.1:${port}`;
    const probe = new URL('probe.js', import.meta.url).href;
    this.child = spawn(process.execPath, ['--import', probe, ...args], {
      // Away from a .env that would be read.
      cwd: directory,
      env: { ...withoutSettings(process.env), NODE_ENV: 'production', HOST: '127.0.0.1', PORT: `${port}`, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output = (this.output + text).slice(-keptOutputLength);
      });
    }
    this.child.once('exit', (code, signal) => {
      this.gone.abort(new BenchError(`the server ended (${signal ?? `exit code ${code}`}). It said:\n${this.output}`));
    });
  }

  /** @param args of node: the script, and how to run it */
  static async start(args: readonly string[], env: NodeJS.ProcessEnv, directory: string): Promise<ServerProcess> {
    return new ServerProcess(args, env, directory, await freePort());
  }

  /**
   * Waits until `path` answers 200.
   *
   * @throws when the server ends before, or takes a minute
   */
  async answers(path: string, signal: AbortSignal, headers: Record<string, string> = {}): Promise<void> {
    const deadline = performance.now() + startDeadlineMs;
    while (performance.now() < deadline) {
      const response = await this.get(path, signal, headers).catch(() => undefined);
      await response?.arrayBuffer();
      if (response?.ok) return;
      AbortSignal.any([signal, this.gone.signal]).throwIfAborted();
      await sleep(pollEveryMs);
    }
    throw new BenchError(`${path} does not answer. The server said:\n${this.output}`);
  }

  /** @throws when it does not answer, is no longer there, or `signal` is aborted */
  async get(path: string, signal: AbortSignal, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.origin + path, { headers, signal: AbortSignal.any([signal, this.gone.signal]) });
  }

  /** @throws when it is no longer there */
  async usage(): Promise<Usage> {
    this.gone.signal.throwIfAborted();
    const answer = once(this.child, 'message', { signal: this.gone.signal });
    this.child.send('usage');
    const [usage] = (await answer.catch(() => this.gone.signal.throwIfAborted())) as [Usage];
    return usage;
  }

  /** Stops it as Kubernetes would. @throws when that takes too long, and kills it */
  async stop(): Promise<void> {
    if (this.gone.signal.aborted) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), stopDeadlineMs);
    const [code, signal] = await exit;
    clearTimeout(late);
    if (code !== 0) throw new BenchError(`a server did not stop well (${signal ?? code}). It said:\n${this.output}`);
  }
}

/** What is measured are the service's defaults, whatever the shell has set. */
function withoutSettings(env: NodeJS.ProcessEnv) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !(name in Environment.properties)));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new BenchError('no port');
  return address.port;
}
