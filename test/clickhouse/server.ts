import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { root } from '../root.js';
import { temporaryDirectory } from '../temporary-directory.js';

const externalUrl = process.env.TEST_CLICKHOUSE_URL;
const isInstalled = existsSync(join(root, 'test/clickhouse/engine/node_modules/chdb'));

/** A reason to skip tests; false when ClickHouse can be started. */
export const needsClickHouse =
  externalUrl || isInstalled
    ? false
    : 'needs ClickHouse: npm run test:clickhouse installs it as a library, or set TEST_CLICKHOUSE_URL';

/** ClickHouse for tests, with a database of its own. */
export class TestClickHouse {
  /** For REQUEST_LOG_URL. */
  readonly url: string;
  private readonly directory: string;
  private readonly port: number;
  private child: ReturnType<typeof startFront>['child'] | undefined;

  private constructor(directory: string, port: number, child: ReturnType<typeof startFront>['child'] | undefined) {
    const database = `musicez_${randomBytes(6).toString('hex')}`;
    this.directory = directory;
    this.port = port;
    this.child = child;
    this.url = externalUrl
      ? `${externalUrl.replace(/\/[^/]*$/, '')}/${database}`
      : `clickhouse://127.0.0.1:${port}/${database}`;
  }

  static async start(t: Test): Promise<TestClickHouse> {
    if (externalUrl) return new TestClickHouse('', 0, undefined);
    const directory = temporaryDirectory(t);
    const { child, port } = startFront(directory, 0);
    const server = new TestClickHouse(directory, await port, child);
    t.teardown(() => server.stop());
    return server;
  }

  /** Whether the server can be stopped. */
  static readonly canStop = !externalUrl;

  /** Kills the server. */
  async stop(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Starts it again with the same data. */
  async restart(): Promise<void> {
    const { child, port } = startFront(this.directory, this.port);
    this.child = child;
    await port;
  }
}

function startFront(directory: string, port: number) {
  const front = join(import.meta.dirname, 'front.js');
  const child = spawn(process.execPath, [front, directory, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  return { child, port: portOf(child) };
}

async function portOf(child: ReturnType<typeof spawn>): Promise<number> {
  let output = '';
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    output += chunk;
    const [, port] = /listening on (\d+)/.exec(output) ?? [];
    if (port !== undefined) return Number(port);
  }
  throw new Error('the ClickHouse library did not start');
}
