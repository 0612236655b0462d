import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { backoff } from '../database/backoff.js';
import { withDeadline } from '../database/deadline.js';
import type { DatabaseHandle } from '../database/index.js';
import { BatchStore, maxBatchRows } from './batch-store.js';
import { Listeners } from './listeners.js';
import type { RequestRecord } from './record.js';
import type { Spool } from './spool/index.js';

export interface WriterOptions {
  /** How long a record waits for company before its batch is sent, in milliseconds. */
  flushIntervalMs: number;
  /** How many records wait in memory at the most; more are dropped and counted. */
  bufferRows: number;
}

/** At any moment `accepted = written + buffered + spooled + dropped`. */
export interface WriterCounts {
  /** Requests that were to be logged, and records that an earlier process left in the spool. */
  accepted: number;
  /** Records that the database has confirmed. */
  written: number;
  /** Records in memory, those on their way included. */
  buffered: number;
  /** Records on disk that the database has not confirmed. */
  spooled: number;
  /** Records that found buffer and spool full, that the database refuses, or whose spool file is damaged or gone. */
  dropped: number;
}

const spoolChunkRows = 500;
/**
 * A database that takes longer for a batch is not waited for by the records behind it. So a kill loses what was answered in
 * about two intervals: the one that was being sent, and the one that had not yet begun to be.
 * Not under 90 ms, for what a batch takes on a busy database; not over 250, for nobody should wait for long.
 */
const slowAfterMs = (flushIntervalMs: number) => Math.min(250, Math.max(90, 0.9 * flushIntervalMs));
const drainDeadlineMs = 4_000;
const warningEveryMs = 60_000;

/**
 * Gathers records and sends them in batches, one at a time. While the database does not take them they go to the spool, and
 * from there, oldest first, to the database when it is back.
 */
export class RequestLogWriter {
  /** Told of every batch that the database has confirmed, and how many seconds it took. */
  readonly onBatch: Listeners<[records: readonly RequestRecord[], seconds: number]>;
  /** Told of every record once, whatever becomes of it, unless it is dropped at once. */
  readonly onRecords: Listeners<[records: readonly RequestRecord[]]>;

  private readonly database: DatabaseHandle;
  private readonly options: WriterOptions;
  private readonly spool: Spool;
  private readonly log: FastifyBaseLogger;
  private readonly store: BatchStore;

  // A record in memory is in one of these.
  private waiting: RequestRecord[] = [];
  private sending: readonly RequestRecord[] = [];
  private spooling: readonly RequestRecord[] = [];

  private accepted = 0;
  private written = 0;
  private spooled = 0;
  private dropped = 0;

  private untold: RequestRecord[] = [];
  /** How many of those that wait have waited long enough. */
  private due = 0;
  /** Some of those that wait may have been stored already. */
  private maybeStored = false;
  private sentLast = false;
  private sentAt = Number.POSITIVE_INFINITY;
  /** How often in a row the database did not take a batch. */
  private failures = 0;

  private timer: NodeJS.Timeout | undefined;
  private isWorking = false;
  private step: Promise<void> = Promise.resolve();
  private moving: Promise<void> | undefined;
  private readonly stopped = new AbortController();
  private readonly warnedAt = new Map<string, number>();

  constructor(database: DatabaseHandle, spool: Spool, options: WriterOptions, log: FastifyBaseLogger) {
    this.database = database;
    this.spool = spool;
    this.options = options;
    this.log = log;
    this.store = new BatchStore(database, log);
    this.onBatch = new Listeners(log);
    this.onRecords = new Listeners(log);
  }

  get counts(): WriterCounts {
    const { accepted, written, buffered, spooled, dropped } = this;
    return { accepted, written, buffered, spooled, dropped };
  }

  /** Takes over what earlier processes left in their spools. */
  async start(): Promise<void> {
    let adopted = 0;
    await this.spool.adopt((records) => {
      adopted += records;
      this.accepted += records;
      this.spooled += records;
      this.work();
    });
    if (adopted > 0)
      this.log.info({ records: adopted }, 'request log: an earlier process left records, which follow now');
  }

  /** Takes a record. Never waits and never throws. */
  push(record: RequestRecord): void {
    this.accepted++;
    if (this.buffered >= this.options.bufferRows) {
      this.drop(1, 'the buffer is full');
      return;
    }
    this.waiting.push(record);
    this.untold.push(record);
    this.setTimer();
  }

  /** Sends all that waits now; resolves when it is written or, while the database is away, in the spool. Never rejects. */
  flush(): Promise<void> {
    return this.workUntil(() => this.spooled === 0 || this.isAway || !this.database.isReady);
  }

  /** Sends what waits, for a few seconds at most; what is left goes to the spool. */
  async close(): Promise<void> {
    if (this.database.isReady && !this.isAway) await withDeadline(this.flush(), drainDeadlineMs).catch(() => {});
    this.stopped.abort();
    clearTimeout(this.timer);
    await this.moving;
    this.waiting = [...this.sending, ...this.waiting];
    this.sending = [];
    await this.moveToSpool();
    if (this.spooled > 0) this.log.warn({ records: this.spooled }, 'request log: left in the spool for the next start');
    const lost = this.waiting.length;
    this.waiting = [];
    this.dropped += lost;
    if (lost > 0) this.log.error({ records: lost }, 'request log: neither database nor spool took the last records');
    await this.spool.close();
  }

  /** Tells of the records so far, rather than with their batch. */
  tellRecords(): void {
    const news = this.untold;
    this.untold = [];
    if (news.length > 0) this.onRecords.tell(news);
  }

  private get buffered() {
    return this.waiting.length + this.sending.length + this.spooling.length;
  }

  private get isAway() {
    return this.failures > 0;
  }

  private setTimer() {
    if (this.stopped.signal.aborted) return;
    // It keeps no process alive: whoever ends one closes this first.
    this.timer ??= setTimeout(() => this.tick(), this.options.flushIntervalMs).unref();
  }

  private tick() {
    this.timer = undefined;
    if (this.waiting.length === 0) return;
    this.moveOn();
    this.setTimer();
  }

  /** Sees to it that what waits goes where it can: to the database, or to the spool. */
  private moveOn() {
    const isSlow = performance.now() - this.sentAt > slowAfterMs(this.options.flushIntervalMs);
    if (this.isAway || isSlow || !this.database.isReady) void this.moveToSpool();
    else this.due = this.waiting.length;
    this.work();
  }

  /** Works until none of what waits now is in memory, and more if need be. */
  private async workUntil(isEnough = () => true) {
    const target = this.accepted - this.dropped;
    const isSent = () => this.buffered === 0 || this.accepted - this.dropped - this.buffered >= target;
    while (!(isSent() && isEnough()) && !this.stopped.signal.aborted) {
      this.moveOn();
      // A little later, for what it waits for may be somebody else's to do.
      await Promise.all([sleep(1), Promise.race([this.step, this.moving ?? this.step])]);
    }
  }

  /** Goes on until nothing is due and the spool is empty. */
  private work() {
    if (this.isWorking) return;
    this.isWorking = true;
    void this.takeSteps().finally(() => {
      this.isWorking = false;
      if (this.waiting.length > 0) this.setTimer();
    });
  }

  private async takeSteps() {
    while (!this.stopped.signal.aborted && (this.due > 0 || !this.spool.isEmpty)) {
      this.step = this.takeStep();
      await this.step;
    }
  }

  private async takeStep() {
    // While the database is away the oldest are tried. Else what has just come and what is left take turns.
    const sendsNext = this.spool.isEmpty || (this.due > 0 && !this.isAway && !this.sentLast);
    try {
      await this.database.ready;
      this.sentLast = sendsNext;
      await (sendsNext ? this.send() : this.replay());
      if (this.isAway) this.log.info({ attempts: this.failures }, 'request log: the database takes records again');
      this.failures = 0;
    } catch (error) {
      if (this.stopped.signal.aborted) return;
      this.failures++;
      const { failures: attempt, buffered, spooled } = this;
      this.log.warn({ err: error, attempt, buffered, spooled }, 'request log: a batch failed, trying again');
      await this.moveToSpool();
      await backoff(attempt, this.stopped.signal).catch(() => {});
    }
  }

  private async send() {
    this.tellRecords();
    const batch = this.waiting.splice(0, Math.min(this.due, maxBatchRows));
    this.due -= batch.length;
    this.sending = batch;
    try {
      await this.storeBatch(batch, this.maybeStored, () => {
        this.sending = [];
      });
      this.maybeStored = false;
      // Of what came meanwhile only full batches: small ones without a pause cost more.
      if (this.waiting.length >= maxBatchRows) this.due = this.waiting.length;
    } catch (error) {
      this.stopped.signal.throwIfAborted();
      this.waiting = [...batch, ...this.waiting];
      this.sending = [];
      this.due = this.waiting.length;
      this.maybeStored = true;
      throw error;
    }
  }

  private async replay() {
    const { segment, records, lost } = await this.spool.oldest();
    this.spooled -= lost;
    if (lost > 0) this.drop(lost, 'a spool file is damaged or gone');
    if (!segment) return;
    for (let at = 0; at < records.length; at += maxBatchRows) {
      const batch = records.slice(at, at + maxBatchRows);
      await this.storeBatch(batch, true, () => {
        this.spooled -= batch.length;
        segment.stored += batch.length;
      });
    }
    await this.spool.remove(segment);
    if (this.spool.isEmpty) this.log.info('request log: all that was in the spool is in the database');
  }

  /** @param settle takes the records out of where they were, at the same moment as they are counted anew */
  private async storeBatch(batch: readonly RequestRecord[], maybeStored: boolean, settle: () => void) {
    this.sentAt = performance.now();
    try {
      const refused = await this.store.store(batch, maybeStored);
      this.stopped.signal.throwIfAborted();
      const stored = refused.length > 0 ? batch.filter((record) => !refused.includes(record)) : batch;
      settle();
      this.written += stored.length;
      if (refused.length > 0) this.drop(refused.length, 'the database refuses them');
      this.onBatch.tell(stored, (performance.now() - this.sentAt) / 1000);
    } finally {
      this.sentAt = Number.POSITIVE_INFINITY;
    }
  }

  /** Moves all that waits. What cannot be moved goes on waiting. */
  private moveToSpool(): Promise<void> {
    this.moving ??= this.move().finally(() => {
      this.moving = undefined;
    });
    return this.moving;
  }

  private async move() {
    if (this.spool.isDisabled) return;
    this.tellRecords();
    this.spooling = this.waiting;
    this.waiting = [];
    this.due = 0;
    try {
      while (this.spooling.length > 0) {
        const chunk = this.spooling.slice(0, spoolChunkRows);
        await this.spool.append(chunk);
        this.spooling = this.spooling.slice(chunk.length);
        this.spooled += chunk.length;
      }
      await this.spool.sync();
    } catch (err) {
      this.waiting = [...this.spooling, ...this.waiting];
      this.spooling = [];
      this.due = this.waiting.length;
      this.warnOnceAMinute('spool', { err }, 'request log: the spool takes nothing, records wait in memory');
    }
    // While they were on their way it may have found nothing to do.
    this.work();
  }

  private drop(records: number, reason: string) {
    this.dropped += records;
    this.warnOnceAMinute(reason, { dropped: this.dropped }, `request log: records are dropped, ${reason}`);
  }

  private warnOnceAMinute(topic: string, details: object, message: string) {
    const now = performance.now();
    if (now - (this.warnedAt.get(topic) ?? Number.NEGATIVE_INFINITY) < warningEveryMs) return;
    this.warnedAt.set(topic, now);
    this.log.error(details, message);
  }
}
