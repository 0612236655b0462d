import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:net';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { DirectoryLockedError, lockDirectory } from '../../directory-lock.js';
import { type SocketDirectory, socketDirectory } from '../../socket-path.js';
import { DatabaseStartError } from '../errors.js';

const socketName = '.s.PGSQL.5432';

/**
 * PostgreSQL compiled to WebAssembly (PGlite) in a worker thread, behind a Unix socket that the pool connects to. Only one process can use it.
 * Committed data survives a killed process, but not a power cut: PGlite does not fsync.
 */
export class EmbeddedDatabase {
  private readonly dataDir: string;
  private readonly sockets: SocketDirectory;
  private lock: Server | undefined;
  private worker: Worker | undefined;
  private started: Promise<void> | undefined;

  /**
   * @param dataDir created with mode 0700 if missing, because the socket accepts connections without a password
   * @throws DatabaseStartError when the directory cannot be created
   */
  constructor(dataDir: string) {
    this.dataDir = dataDir;
    try {
      // With `recursive`, mkdir of Node.js 20 never returns in directories such as /proc.
      mkdirSync(dataDir, { recursive: existsSync(dataDir) || !existsSync(dirname(dataDir)), mode: 0o700 });
    } catch (error) {
      throw new DatabaseStartError(`DATA_DIR cannot be used: ${(error as Error).message}`);
    }
    this.sockets = socketDirectory(dataDir, socketName);
  }

  /** The directory of the socket, as the `host` of `pg`. */
  get host(): string {
    return this.sockets.path;
  }

  /** @throws DatabaseStartError when another process uses the directory, or the database does not open */
  start(): Promise<void> {
    this.started = this.open();
    return this.started;
  }

  /** Stops the database, also while it starts. */
  async stop(): Promise<void> {
    await this.started?.catch(() => {});
    if (this.worker) {
      const exited = once(this.worker, 'exit');
      this.worker.postMessage('stop');
      await exited.catch(() => {});
    }
    this.lock?.close();
    this.sockets.remove();
  }

  private async open() {
    try {
      this.lock = await lockDirectory(join(this.host, 'lock'));
    } catch (error) {
      if (error instanceof DirectoryLockedError) {
        throw new DatabaseStartError(
          `another process is using the embedded database in ${this.dataDir}: stop it, set another DATA_DIR, or set DATABASE_URL`,
          { cause: error },
        );
      }
      throw new DatabaseStartError(`DATA_DIR cannot be used: ${(error as Error).message}`);
    }
    const workerData = {
      directory: join(this.dataDir, 'pglite'),
      socketPath: join(this.host, socketName),
    };
    await rm(workerData.socketPath, { force: true });
    const initializing = join(this.dataDir, 'pglite.initializing');
    // The marker is left when a process was killed while PGlite created its files, which are unusable then.
    if (existsSync(initializing)) await rm(workerData.directory, { recursive: true, force: true });
    else if (!existsSync(workerData.directory)) await writeFile(initializing, '');
    // The worker is plain JavaScript, so it needs no loader such as tsx.
    this.worker = new Worker(new URL('worker.js', import.meta.url), { workerData, execArgv: [] });
    try {
      await once(this.worker, 'message');
    } catch (error) {
      throw new DatabaseStartError(
        `the embedded database in ${this.dataDir} failed to start: ${(error as Error).message}`,
      );
    }
    await rm(initializing, { force: true });
  }
}
