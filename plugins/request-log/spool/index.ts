import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import type { Server } from 'node:net';
import { join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import { reasonOf } from '../../database/outage-log.js';
import { DirectoryLockedError } from '../../directory-lock.js';
import type { Batch } from '../batch.js';
import type { RequestRecord } from '../record.js';
import { maxBatchRows } from '../store.js';
import { makeDirectory, syncDirectory } from './directory.js';
import { decode, encode, fileHead } from './format.js';
import { lockSpool } from './lock.js';
import { adoptOrphans, damagedDirectoryName } from './orphans.js';
import { readSegment, type Segment, segmentOf } from './segment.js';

export interface SpoolOptions {
  /** The directory of all spools; each process has a subdirectory. */
  directory: string;
  /** The largest size in bytes; 0: no spool. */
  maxBytes: number;
}

/** The spool has reached its largest size. */
export class SpoolFullError extends Error {
  override name = 'SpoolFullError';
}

/** Files are read as a whole, so their size bounds the memory of a replay. */
const segmentBytes = 2 ** 20;
/** After this many read errors, a file is skipped. It stays on disk until the next start. */
const maxReadFailures = 5;

/** The oldest file, its batches that are not stored yet, and how many records were lost in it and in unreadable files. */
export interface Oldest {
  segment: Segment | undefined;
  batches: Batch[];
  lost: number;
}

/**
 * Records on disk, oldest first, until the database has them. Files are appended to, and removed when all their records are stored.
 * Reading a file twice is safe: the database skips records that it has.
 *
 * Methods throw the errors of the file system, and can be retried.
 */
export class Spool {
  private readonly options: SpoolOptions;
  private readonly log: FastifyBaseLogger;
  /** Its name sorts by time, so that the oldest spool is adopted first. */
  private readonly own: string;
  private lock: Server | undefined;
  /** Oldest first. When `file` is set, it is the last one. */
  private readonly segments: Segment[] = [];
  private file: FileHandle | undefined;
  private fileNumber = 0;
  private turn: Promise<unknown> = Promise.resolve();

  /** Whether the probe at the start could write; undefined before the probe, or when the spool is disabled. */
  isWritable: boolean | undefined;

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

  /** Writes and removes a file, to find out whether the directory can be written. Logs a warning when it cannot. */
  async probe(): Promise<void> {
    if (this.isDisabled) return;
    try {
      await makeDirectory(this.options.directory);
      const path = join(this.options.directory, `.probe-${randomBytes(3).toString('hex')}`);
      await writeFile(path, '', { mode: 0o600 });
      await rm(path);
      this.isWritable = true;
    } catch (error) {
      this.isWritable = false;
      this.log.warn(
        { reason: reasonOf(error) },
        'DATA_DIR cannot be written: while the database is down, records of requests are kept in memory only and lost with the process',
      );
    }
  }

  /**
   * Adopts the spools of processes that have ended. Records can be appended meanwhile.
   *
   * @param onAdopted called with the number of records of each adopted file
   */
  adopt(onAdopted: (records: number) => void): Promise<void> {
    return adoptOrphans(this.options.directory, this.log, (path) => this.inTurn(() => this.adoptFile(path, onAdopted)));
  }

  /**
   * Appends records: all of them or none.
   *
   * @param wasSent whether they are a batch that was sent to the store
   * @throws SpoolFullError
   * @throws the error of the file system
   */
  append(records: readonly RequestRecord[], wasSent = false): Promise<void> {
    return this.inTurn(async () => {
      const bytes = await encode(records, wasSent);
      if (this.bytes + bytes.length > this.options.maxBytes) throw new SpoolFullError('the spool is full');
      if ((this.segments.at(-1)?.bytes ?? 0) >= segmentBytes || (await this.isRemoved())) await this.endFile();
      this.file ??= await this.newFile();
      const { file } = this;
      const segment = this.segments.at(-1) as Segment;
      try {
        await file.appendFile(bytes);
      } catch (error) {
        // Removes a partial write. If that fails, readers ignore it: they stop after the last complete record.
        await file.truncate(segment.bytes).catch(() => this.endFile());
        throw error;
      }
      segment.bytes += bytes.length;
      segment.records += records.length;
    });
  }

  /** Flushes appended records to disk, so that they survive a power cut. */
  sync(): Promise<void> {
    return this.inTurn(async () => this.file?.datasync());
  }

  /**
   * Reads the oldest readable file, which stays until `remove`.
   *
   * @throws the error of the file system, for the first few times; then the file counts as lost
   */
  oldest(): Promise<Oldest> {
    return this.inTurn(async () => {
      let lost = 0;
      for (let segment = this.segments[0]; segment; segment = this.segments[0]) {
        if (this.segments.length === 1) await this.endFile();
        const { path, stored } = segment;
        try {
          const { bodies } = await this.read(path, segment.bytes);
          let count = 0;
          const batches: Batch[] = [];
          for (const batch of await decode(bodies, maxBatchRows)) {
            count += batch.records.length;
            if (count > stored) batches.push(batch);
          }
          lost += segment.records - count;
          segment.records = count;
          segment.readFailures = 0;
          return { segment, batches, lost };
        } catch (err) {
          const isGone = ['ENOENT', 'ENOTDIR'].includes(String((err as NodeJS.ErrnoException).code));
          const isRetried = !isGone && segment.readFailures + 1 < maxReadFailures;
          // An error would hide the records that the files before have lost. The next call fails.
          if (isRetried && lost > 0) break;
          segment.readFailures++;
          if (isRetried) throw err;
          const records = segment.records - stored;
          this.log.error({ err, file: path, records }, 'request log: a spool file cannot be read');
          lost += records;
          this.segments.shift();
        }
      }
      return { segment: undefined, batches: [], lost };
    });
  }

  /** Removes a file whose records are all stored. */
  remove(segment: Segment): Promise<void> {
    return this.inTurn(async () => {
      const at = this.segments.indexOf(segment);
      if (at !== -1) this.segments.splice(at, 1);
      await rm(segment.path, { force: true }).catch((err) => {
        this.log.error({ err, file: segment.path }, 'request log: a replayed spool file cannot be removed');
      });
    });
  }

  /** Closes the files, and leaves them for the next process. */
  close(): Promise<void> {
    return this.inTurn(async () => {
      await this.endFile();
      this.lock?.close();
      await rmdir(this.own).catch(() => {});
    });
  }

  /** Runs operations one at a time, in order. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => {});
    return result;
  }

  private async adoptFile(path: string, onAdopted: (records: number) => void) {
    const { bodies, wholeBytes, state } = await this.read(path);
    if (bodies.length === 0) return state === 'damaged' ? undefined : rm(path);
    await this.ensureOwn();
    const own = this.nextPath();
    await rename(path, own);
    // Before the file that is being written, and after those that were adopted earlier.
    const at = this.file ? this.segments.length - 1 : this.segments.length;
    this.segments.splice(at, 0, segmentOf(own, bodies.length, wholeBytes));
    onAdopted(bodies.length);
  }

  private read(path: string, bytes?: number) {
    return readSegment(path, join(this.options.directory, damagedDirectoryName), this.log, bytes);
  }

  /** Whether somebody has removed the open file: writes to it would be lost when it is closed. */
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

  /** Syncs the file as well: a later `sync` only reaches the next one. */
  private async endFile() {
    const file = this.file;
    this.file = undefined;
    await file?.datasync().catch((err) => this.log.error({ err }, 'request log: the spool could not be synced'));
    await file?.close().catch(() => {});
  }

  private nextPath() {
    return join(this.own, `${String(++this.fileNumber).padStart(8, '0')}.spool`);
  }

  /** Creates the directory when it is first needed, and again after somebody has removed it. */
  private async ensureOwn() {
    const isNew = await makeDirectory(this.own);
    if (this.lock && !isNew) return;
    this.lock?.close();
    this.lock = await lockSpool(this.own);
    if (!this.lock) throw new DirectoryLockedError(this.own);
  }
}
