import { randomBytes } from 'node:crypto';
import type { Test } from 'tap';
import { isEngineInstalled, LocalClickHouse } from '../../scripts/clickhouse/server.js';
import { temporaryDirectory } from '../temporary-directory.js';

const externalUrl = process.env.TEST_CLICKHOUSE_URL;

/** A reason to skip tests; false when there is a ClickHouse. */
export const needsClickHouse =
  externalUrl || isEngineInstalled
    ? false
    : 'needs ClickHouse: npm run test:clickhouse installs it as a library, or set TEST_CLICKHOUSE_URL';

/** A database of its own in ClickHouse: in the library, or on the server at TEST_CLICKHOUSE_URL. */
export class TestClickHouse {
  /** Whether it can be stopped. */
  static readonly canStop = !externalUrl;

  /** For REQUEST_LOG_URL. */
  readonly url: string;
  private readonly directory: string;
  private readonly port: number;
  private server: LocalClickHouse | undefined;

  private constructor(directory: string, server: LocalClickHouse | undefined) {
    const database = `musicez_${randomBytes(6).toString('hex')}`;
    this.directory = directory;
    this.server = server;
    this.port = server?.port ?? 0;
    this.url = `${externalUrl?.replace(/(?<=:\/\/[^/]+)\/.*$/, '') ?? `clickhouse://127.0.0.1:${this.port}`}/${database}`;
  }

  static async start(t: Test): Promise<TestClickHouse> {
    const directory = temporaryDirectory(t);
    const clickHouse = new TestClickHouse(
      directory,
      externalUrl ? undefined : await LocalClickHouse.start(directory, 0),
    );
    t.teardown(() => clickHouse.stop());
    return clickHouse;
  }

  /** Kills the server. */
  async stop(): Promise<void> {
    await this.server?.kill();
    this.server = undefined;
  }

  /** Starts it again with the same data. */
  async restart(): Promise<void> {
    this.server = await LocalClickHouse.start(this.directory, this.port);
  }
}
