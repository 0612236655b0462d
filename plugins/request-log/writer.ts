import type { FastifyBaseLogger } from 'fastify';
import { backoff } from '../database/backoff.js';
import { withDeadline } from '../database/deadline.js';
import type { DatabaseHandle } from '../database/index.js';
import { insertOf, losesPreparedStatements } from './insert.js';
import type { RequestRecord } from './record.js';

export interface WriterOptions {
  /** How long a record waits for company before its batch is sent, in milliseconds. */
  flushIntervalMs: number;
  /** How many records wait at the most; more are dropped and counted. */
  bufferRows: number;
}

/** Counted since the start. At any moment `accepted = written + buffered + dropped`. */
export interface WriterCounts {
  /** Requests that were to be logged. */
  accepted: number;
  /** Records that the database has confirmed. */
  written: number;
  /** Records that wait, those on their way included. */
  buffered: number;
  /** Records that found the buffer full, or that no database took before the process ended. */
  dropped: number;
}

/** @param seconds that the database took */
export type BatchListener = (records: readonly RequestRecord[], seconds: number) => void;
export type RecordsListener = (records: readonly RequestRecord[]) => void;

const maxBatchRows = 5_000;
const batchDeadlineMs = 15_000;
const drainDeadlineMs = 5_000;
const dropWarningEveryMs = 60_000;

/** Gathers records and sends them in batches, one at a time, each until the database confirms it. */
export class RequestLogWriter {
  private readonly database: DatabaseHandle;
  private readonly options: WriterOptions;
  private readonly log: FastifyBaseLogger;
  private waiting: RequestRecord[] = [];
  private sending: RequestRecord[] = [];
  private accepted = 0;
  private written = 0;
  private dropped = 0;
  private warnedOfDropsAt = 0;
  private readonly batchListeners: BatchListener[] = [];
  private readonly recordsListeners: RecordsListener[] = [];
  /** How many of those that wait have been told to the latter. */
  private told = 0;
  private prepares = true;
  private timer: NodeJS.Timeout | undefined;
  private flushing: Promise<void> | undefined;
  private readonly givenUp = new AbortController();

  constructor(database: DatabaseHandle, options: WriterOptions, log: FastifyBaseLogger) {
    this.database = database;
    this.options = options;
    this.log = log;
  }

  get counts(): WriterCounts {
    const { accepted, written, dropped } = this;
    return { accepted, written, buffered: this.buffered, dropped };
  }

  /** Takes a record. Never waits and never throws. */
  push(record: RequestRecord): void {
    this.accepted++;
    if (this.buffered >= this.options.bufferRows) {
      this.drop();
      return;
    }
    this.waiting.push(record);
    if (!this.flushing) this.timer ??= setTimeout(() => void this.flush(), this.options.flushIntervalMs);
  }

  /** Sends all that waits now; resolves when it is written. Never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    while (this.flushing) await this.flushing;
    if (this.waiting.length === 0 || this.givenUp.signal.aborted) return;
    this.flushing = this.sendAll().finally(() => {
      this.flushing = undefined;
      if (this.waiting.length > 0) this.timer ??= setTimeout(() => void this.flush(), this.options.flushIntervalMs);
    });
    await this.flushing;
  }

  /** Sends what waits, for a few seconds at most, and counts and reports what is left as dropped. */
  async close(): Promise<void> {
    if (this.database.isReady) await withDeadline(this.flush(), drainDeadlineMs).catch(() => {});
    this.givenUp.abort();
    clearTimeout(this.timer);
    const lost = this.buffered;
    this.waiting = [];
    this.sending = [];
    this.dropped += lost;
    if (lost > 0) this.log.error({ records: lost }, 'request log: the database did not take the last records');
  }

  /** @param listener told of every batch that the database has confirmed */
  onBatch(listener: BatchListener): void {
    this.batchListeners.push(listener);
  }

  /** @param listener told of every record once, whatever becomes of it, unless it is dropped at once */
  onRecords(listener: RecordsListener): void {
    this.recordsListeners.push(listener);
  }

  /** Tells of the records so far; while the database is away nobody else would. */
  tellRecords(): void {
    const news = this.waiting.slice(this.told);
    this.told = this.waiting.length;
    if (news.length > 0) this.tell(this.recordsListeners, (listener) => listener(news));
  }

  private get buffered() {
    return this.waiting.length + this.sending.length;
  }

  private tell<Listener>(listeners: readonly Listener[], call: (listener: Listener) => void) {
    for (const listener of listeners) {
      try {
        call(listener);
      } catch (error) {
        this.log.error({ err: error }, 'request log: what follows from a batch failed');
      }
    }
  }

  private drop() {
    this.dropped++;
    const now = Date.now();
    if (now - this.warnedOfDropsAt < dropWarningEveryMs) return;
    this.warnedOfDropsAt = now;
    this.log.error({ dropped: this.dropped }, 'request log: the buffer is full, records are dropped');
  }

  /** Sends all that waits now. Of what comes meanwhile only full batches: small ones without a pause cost more. */
  private async sendAll() {
    try {
      for (let left = this.waiting.length; left > 0 || this.waiting.length >= maxBatchRows; left -= maxBatchRows) {
        this.tellRecords();
        this.sending = this.waiting.splice(0, maxBatchRows);
        this.told = this.waiting.length;
        await this.send();
      }
    } catch {
      // Given up: close() counts what is left.
    }
  }

  private async send() {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.database.ready;
        const query = insertOf(this.sending, attempt > 1 ? 'again' : this.prepares ? 'prepared' : 'unprepared');
        const sentAt = performance.now();
        await withDeadline(this.database.pool.query(query), batchDeadlineMs);
        const seconds = (performance.now() - sentAt) / 1000;
        if (this.givenUp.signal.aborted) return;
        if (attempt > 1) this.log.info({ attempt }, 'request log: the database takes records again');
        this.written += this.sending.length;
        const batch = this.sending;
        this.sending = [];
        this.tell(this.batchListeners, (listener) => listener(batch, seconds));
        return;
      } catch (error) {
        this.givenUp.signal.throwIfAborted();
        if (losesPreparedStatements(error)) this.prepares = false;
        this.log.warn({ err: error, attempt, buffered: this.buffered }, 'request log: a batch failed, trying again');
      }
      await backoff(attempt, this.givenUp.signal);
    }
  }
}
