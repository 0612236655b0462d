import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm, rmdir } from 'node:fs/promises';
import type { Server } from 'node:net';
import { join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import { DirectoryLockedError } from '../../directory-lock.js';
import type { RequestRecord } from '../record.js';
import { makeDirectory, syncDirectory } from './directory.js';
import { decode, encode, fileHead } from './format.js';
import { lockSpool } from './lock.js';
import { readSegment, type Segment, segmentOf } from './segment.js';

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
/** A file that cannot be read so often, for more than its being gone, is left where it is. */
const mostReadFailures = 5;
const segmentName = /^\d{8}\.spool$/;
const asideName = 'damaged';

/** The records of the oldest file that have not been stored, and how many are lost that were in it or in files before it. */
export interface Oldest {
  segment: Segment | undefined;
  records: RequestRecord[];
  lost: number;
}

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
   * Takes over what processes left behind that are no more. Records may be added meanwhile.
   *
   * @param found told how many records that is, file by file
   */
  async adopt(found: (records: number) => void): Promise<void> {
    const names = await readdir(this.options.directory).catch(() => []);
    for (const name of names.filter((name) => name !== asideName).sort()) {
      await this.adoptFrom(join(this.options.directory, name), found).catch((err) => {
        this.log.error({ err, directory: name }, 'request log: a spool could not be taken over as a whole');
      });
    }
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
   * Reads the oldest file that can be read; it stays until `remove`.
   *
   * @throws what the file system says of a file that is there but cannot be read, a few times; then it counts as lost
   */
  oldest(): Promise<Oldest> {
    return this.inTurn(async () => {
      let lost = 0;
      for (let segment = this.segments[0]; segment; segment = this.segments[0]) {
        if (this.segments.length === 1) await this.endFile();
        const { path, stored } = segment;
        const left = segment.records - stored;
        try {
          const { bodies } = await this.read(path, segment.bytes);
          segment.records = Math.max(bodies.length, stored);
          segment.failures = 0;
          return { segment, records: bodies.slice(stored).map(decode), lost: lost + left - (segment.records - stored) };
        } catch (err) {
          const isGone = (err as NodeJS.ErrnoException).code === 'ENOENT';
          if (!isGone && ++segment.failures < mostReadFailures) throw err;
          this.log.error({ err, file: path, records: left }, 'request log: a spool file cannot be read');
          lost += left;
          this.segments.shift();
        }
      }
      return { segment: undefined, records: [], lost };
    });
  }

  /** Removes a file, all of whose records are stored. */
  remove(segment: Segment): Promise<void> {
    return this.inTurn(async () => {
      const at = this.segments.indexOf(segment);
      if (at !== -1) this.segments.splice(at, 1);
      await rm(segment.path, { force: true }).catch((err) => {
        this.log.error({ err, file: segment.path }, 'request log: a spool file that is done with cannot be removed');
      });
    });
  }

  /** Leaves what there is for the next process. */
  close(): Promise<void> {
    return this.inTurn(async () => {
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

  private async adoptFrom(directory: string, found: (records: number) => void) {
    const lock = await lockSpool(directory);
    if (!lock) return;
    try {
      for (const name of (await readdir(directory)).filter((name) => segmentName.test(name)).sort()) {
        await this.inTurn(() => this.adoptFile(join(directory, name), found)).catch((err) => {
          this.log.error({ err, directory, file: name }, 'request log: a spool file could not be taken over');
        });
      }
    } finally {
      await new Promise((resolve) => lock.close(resolve));
      // Unless something is left in it.
      await rmdir(directory).catch(() => {});
    }
  }

  private async adoptFile(path: string, found: (records: number) => void) {
    const { bodies, wholeBytes, state } = await this.read(path);
    if (bodies.length === 0) return state === 'damaged' ? undefined : rm(path);
    await this.ensureOwn();
    const own = this.nextPath();
    await rename(path, own);
    // Older than what is being written to now, and younger than what was found before it.
    const at = this.file ? this.segments.length - 1 : this.segments.length;
    this.segments.splice(at, 0, segmentOf(own, bodies.length, wholeBytes));
    found(bodies.length);
  }

  private read(path: string, bytes?: number) {
    return readSegment(path, join(this.options.directory, asideName), this.log, bytes);
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
      await syncDirectory(this.own);
    } catch (error) {
      await file.close();
      await rm(path, { force: true });
      throw error;
    }
    this.segments.push(segmentOf(path, 0, fileHead.length));
    return file;
  }

  /** Whoever syncs afterwards finds the next file, so this one is synced here. */
  private async endFile() {
    const file = this.file;
    this.file = undefined;
    await file?.datasync().catch((err) => this.log.error({ err }, 'request log: the spool could not be synced'));
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
