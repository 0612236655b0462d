import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm, rmdir } from 'node:fs/promises';
import type { Server } from 'node:net';
import { join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import { DirectoryLockedError, lockDirectory } from '../../directory-lock.js';
import { socketDirectory } from '../../socket-path.js';
import type { RequestRecord } from '../record.js';
import { encode, fileHead } from './format.js';
import { makeDirectory } from './make-directory.js';
import { readSegment, type Segment } from './segment.js';

export interface SpoolOptions {
  /** Where spools are; each process has a directory of its own in it. */
  directory: string;
  /** How large it may become; 0: nothing is ever spooled. */
  maxBytes: number;
}

/** There is no room left. */
export class SpoolFullError extends Error {
  override name = 'SpoolFullError';
}

/** A file is read and stored as a whole, so this bounds the memory that takes. */
const segmentBytes = 2 ** 20;
const segmentName = /^\d{8}\.spool$/;
const lockName = 'lock';
const asideName = 'damaged';

/**
 * Records on disk, oldest first, until the database takes them. Files are only appended to, and removed when all their
 * records are stored: one that is read twice does no harm, for the database knows which records it has.
 *
 * What it throws is what the file system threw; nothing is lost by trying again.
 */
export class Spool {
  private readonly options: SpoolOptions;
  private readonly log: FastifyBaseLogger;
  /** Sorts by time, so that of several left behind the oldest comes first. */
  private readonly own: string;
  private lock: Server | undefined;
  /** Oldest first; the last one is being written to when there is a `file`. */
  private readonly segments: Segment[] = [];
  private file: FileHandle | undefined;
  private named = 0;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(options: SpoolOptions, log: FastifyBaseLogger) {
    this.options = options;
    this.log = log;
    this.own = join(options.directory, Date.now().toString(36) + randomBytes(3).toString('hex'));
  }

  get isDisabled(): boolean {
    return this.options.maxBytes === 0;
  }

  get bytes(): number {
    return this.segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get isEmpty(): boolean {
    return this.segments.length === 0;
  }

  /**
   * Takes over what processes left behind that are no more.
   *
   * @returns how many records that is
   */
  adopt(): Promise<number> {
    return this.inTurn(async () => {
      const names = await readdir(this.options.directory).catch(() => []);
      const own = this.segments.length;
      for (const name of names.filter((name) => name !== asideName).sort()) {
        await this.adoptFrom(join(this.options.directory, name)).catch((err) => {
          this.log.error({ err, directory: name }, 'request log: a spool could not be taken over as a whole');
        });
      }
      return this.segments.slice(own).reduce((sum, { records }) => sum + records, 0);
    });
  }

  /**
   * Adds records: all of them or none.
   *
   * @throws SpoolFullError, or what the file system says
   */
  append(records: readonly RequestRecord[]): Promise<void> {
    return this.inTurn(async () => {
      const bytes = encode(records);
      if (this.bytes + bytes.length > this.options.maxBytes) throw new SpoolFullError('the spool is full');
      if ((this.segments.at(-1)?.bytes ?? 0) >= segmentBytes || (await this.isRemoved())) await this.endFile();
      this.file ??= await this.newFile();
      const { file } = this;
      const segment = this.segments.at(-1) as Segment;
      try {
        await file.appendFile(bytes);
      } catch (error) {
        // Part of it may be there. If it cannot be cut off now it will be when the file is read.
        await file.truncate(segment.bytes).catch(() => this.endFile());
        throw error;
      }
      segment.bytes += bytes.length;
      segment.records += records.length;
    });
  }

  /** Sees to it that what was added survives a power cut. */
  sync(): Promise<void> {
    return this.inTurn(async () => this.file?.datasync());
  }

  /**
   * Reads the oldest file that can be read; it stays until `removeOldest`.
   *
   * @returns its records, and how many are lost that were in it or in files before it
   */
  oldest(): Promise<{ records: RequestRecord[]; lost: number }> {
    return this.inTurn(async () => {
      let lost = 0;
      for (let segment = this.segments[0]; segment; segment = this.segments[0]) {
        if (this.segments.length === 1) await this.endFile();
        const { path, records: expected } = segment;
        try {
          const { records, bytes } = await this.read(path);
          Object.assign(segment, { records: records.length, bytes });
          return { records, lost: lost + expected - records.length };
        } catch (err) {
          this.log.error({ err, file: path, records: expected }, 'request log: a spool file cannot be read');
          lost += expected;
          this.segments.shift();
        }
      }
      return { records: [], lost };
    });
  }

  removeOldest(): Promise<void> {
    return this.inTurn(async () => {
      const segment = this.segments.shift();
      if (!segment) return;
      await rm(segment.path, { force: true }).catch((err) => {
        this.log.error({ err, file: segment.path }, 'request log: a spool file that is done with cannot be removed');
      });
    });
  }

  /** Leaves what there is for the next process. */
  close(): Promise<void> {
    return this.inTurn(async () => {
      await this.file?.datasync().catch((err) => this.log.error({ err }, 'request log: the spool could not be synced'));
      await this.endFile();
      this.lock?.close();
      await rmdir(this.own).catch(() => {});
    });
  }

  /** One thing at a time, in the order asked for. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => {});
    return result;
  }

  private async adoptFrom(directory: string) {
    const lock = await lockSpool(directory);
    if (!lock) return;
    try {
      for (const name of (await readdir(directory)).filter((name) => segmentName.test(name)).sort()) {
        const { records, bytes } = await this.read(join(directory, name));
        if (records.length === 0) continue;
        await this.ensureOwn();
        const path = this.nextPath();
        await rename(join(directory, name), path);
        this.segments.push({ path, records: records.length, bytes });
      }
      await rm(directory, { recursive: true });
    } finally {
      lock.close();
    }
  }

  private read(path: string) {
    return readSegment(path, join(this.options.directory, asideName), this.log);
  }

  /** A file that was removed can still be written to, by whoever has it open, and is gone when closed. */
  private async isRemoved() {
    return this.file !== undefined && (await this.file.stat()).nlink === 0;
  }

  private async newFile() {
    await this.ensureOwn();
    const path = this.nextPath();
    const file = await open(path, 'ax', 0o600);
    try {
      await file.appendFile(fileHead);
    } catch (error) {
      await file.close();
      await rm(path, { force: true });
      throw error;
    }
    this.segments.push({ path, records: 0, bytes: fileHead.length });
    return file;
  }

  private async endFile() {
    const file = this.file;
    this.file = undefined;
    await file?.close().catch(() => {});
  }

  private nextPath() {
    return join(this.own, `${String(++this.named).padStart(8, '0')}.spool`);
  }

  /** Made when it is first needed, and again if somebody has removed it. */
  private async ensureOwn() {
    const isNew = await makeDirectory(this.own);
    if (this.lock && !isNew) return;
    this.lock?.close();
    this.lock = await lockSpool(this.own);
    if (!this.lock) throw new DirectoryLockedError(this.own);
  }
}

/** @returns undefined when a live process has it */
async function lockSpool(directory: string): Promise<Server | undefined> {
  const sockets = socketDirectory(directory, `${lockName}.12345678`);
  try {
    const lock = await lockDirectory(join(sockets.path, lockName));
    lock.once('close', () => sockets.remove());
    return lock;
  } catch (error) {
    sockets.remove();
    if (error instanceof DirectoryLockedError) return undefined;
    throw error;
  }
}
