import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/config/index.js';

/** Whether ClickHouse is installed as a library: by `npm install --no-save --prefix scripts/clickhouse/engine`. */
export const isEngineInstalled = existsSync(join(packageRoot, 'scripts/clickhouse/engine/node_modules/chdb'));

/** ClickHouse as a library, in a process of its own, with the HTTP interface. */
export class LocalClickHouse {
  readonly port: number;
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.child = child;
    this.port = port;
  }

  /**
   * @param directory of the data
   * @param port 0: a free one
   */
  static async start(directory: string, port: number): Promise<LocalClickHouse> {
    const { filename, dirname } = import.meta;
    const front = filename.endsWith('.ts') ? ['--import=tsx', join(dirname, 'front.ts')] : [join(dirname, 'front.js')];
    const child = spawn(process.execPath, [...front, directory, String(port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return new LocalClickHouse(child, await portOf(child));
  }

  async kill(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }
}

async function portOf(child: ChildProcess): Promise<number> {
  let output = '';
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    output += chunk;
    const [, port] = /listening on (\d+)/.exec(output) ?? [];
    if (port !== undefined) return Number(port);
  }
  throw new Error('the ClickHouse library did not start');
}
