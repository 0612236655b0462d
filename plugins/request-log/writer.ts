import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { inBackground } from '../background.js';
import { backoff } from '../database/backoff.js';
import { withDeadline } from '../database/deadline.js';
import { OutageLog } from '../database/outage-log.js';
import { noTracing, type Tracing } from '../tracing/tracing.js';
import type { Batch } from './batch.js';
import { DroppedRecords } from './dropped-records.js';
import { FlushTimer } from './flush-timer.js';
import { HeldCharges } from './held-charges.js';
import { Listeners } from './listeners.js';
import type { RequestRecord } from './record.js';
import { RecordBuffer } from './record-buffer.js';
import type { Spool } from './spool/index.js';
import { SpoolMover } from './spool-mover.js';
import { maxBatchRows, type RequestLogStore } from './store.js';

export interface WriterOptions {
  /** How long records are collected before a batch is sent, in milliseconds. */
  flushIntervalMs: number;
  /** The size of the buffer in records. When it is full, records are dropped and counted. */
  bufferRows: number;
  /** Wraps the storing of each batch. */
  traceBatch?: Tracing['traceBatch'];
}

/** At any moment `accepted = written + buffered + spooled + dropped`. */
export interface WriterCounts {
  /** Records of this process, and those that an earlier process left in the spool. */
  accepted: number;
  /** Records that the database has committed. */
  written: number;
  /** Records in memory, including the batch that is being sent. */
  buffered: number;
  /** Records on disk that the database has not committed. */
  spooled: number;
  /** Records that did not fit into buffer and spool, that the database rejected, or whose spool file was damaged or removed. */
  dropped: number;
}

type WriterStore = Pick<RequestLogStore, 'write' | 'settleCharges' | 'isReady' | 'ready'>;

const bufferIsFull = 'the buffer is full';
/**
 * How long records wait behind a slow batch. Then they go to the spool, so that a killed process loses the records
 * of about two flush intervals only. At least 90 ms, which a batch takes on a busy database; at most 250 ms.
 */
const slowAfterMs = (flushIntervalMs: number) => Math.min(250, Math.max(90, 0.9 * flushIntervalMs));
const drainDeadlineMs = 4_000;

/**
 * Writes records in batches, one at a time. While the database fails or is slow, records go to the spool, and from there to the
 * database, oldest first.
 *
 * A loop takes one step at a time while records are due or spooled: it sends a batch from the buffer, or replays a file of the
 * spool. After a failed step it moves the buffer to the spool and waits, with backoff.
 */
export class RequestLogWriter {
  /** Called after each committed batch, with its duration in seconds. */
  readonly onBatch: Listeners<[records: readonly RequestRecord[], seconds: number]>;
  /** Called once with each record accepted into the buffer, before it is stored. Not with records of earlier processes. */
  readonly onRecord: Listeners<[records: readonly RequestRecord[]]>;

  private readonly options: WriterOptions;
  private readonly spool: Spool;
  private readonly log: FastifyBaseLogger;
  private readonly dropped: DroppedRecords;
  private readonly timer: FlushTimer;
  private readonly mover: SpoolMover;
  private readonly store: WriterStore;
  private readonly outage: OutageLog;
  private readonly stopped = new AbortController();

  private readonly buffer = new RecordBuffer();
  private readonly heldCharges = new HeldCharges();
  private readonly total = { accepted: 0, written: 0, spooled: 0 };

  private isLooping = false;
  private step: Promise<void> = Promise.resolve();

  private wasLastStepSend = false;
  private sentAt = Number.POSITIVE_INFINITY;
  /** How many steps in a row have failed. */
  private failures = 0;

  constructor(store: WriterStore, spool: Spool, options: WriterOptions, log: FastifyBaseLogger) {
    this.store = store;
    this.spool = spool;
    this.options = options;
    this.log = log;
    this.dropped = new DroppedRecords(log);
    this.timer = new FlushTimer(options.flushIntervalMs, () => this.onTimer());
    this.mover = new SpoolMover(
      this.buffer,
      spool,
      log,
      (records) => {
        this.total.spooled += records;
      },
      store.settleCharges?.bind(store),
    );
    this.outage = new OutageLog(log);
    this.onBatch = new Listeners(log);
    this.onRecord = new Listeners(log);
  }

  get counts(): WriterCounts {
    return { ...this.total, buffered: this.buffer.size, dropped: this.dropped.count };
  }

  /** Whether batches can be written: the store is ready, and the last step did not fail. */
  get isStoreWritable(): boolean {
    return this.store.isReady && !this.isStoreDown;
  }

  /** Whether the last step failed. */
  private get isStoreDown(): boolean {
    return this.failures > 0;
  }

  /** Probes the spool, and adopts the spools of processes that have ended. */
  async start(): Promise<void> {
    await this.spool.probe();
    let adopted = 0;
    await this.spool.adopt((records) => {
      adopted += records;
      this.total.accepted += records;
      this.total.spooled += records;
      this.startLoop();
    });
    if (adopted > 0)
      this.log.info({ records: adopted }, 'request log: records of an earlier process are being written');
  }

  /** Adds a record. Never waits and never throws. */
  push(record: RequestRecord): void {
    this.total.accepted++;
    if (this.buffer.size >= this.options.bufferRows) {
      this.heldCharges.hold(record.charges);
      this.dropped.add(1, bufferIsFull);
      return;
    }
    this.buffer.push(this.heldCharges.addTo(record));
    this.timer.set();
  }

  /** Sends the records after a third of the flush interval, or sooner if a flush is due. */
  sendSoon(): void {
    this.timer.setEarly();
  }

  /** Resolves when all records so far are committed or, while the database is down, in the spool. Never rejects. */
  flush(): Promise<void> {
    return this.drainUntil(() => this.total.spooled === 0 || !this.isStoreWritable);
  }

  /** Flushes for a few seconds at most, and moves the rest to the spool. */
  async close(): Promise<void> {
    if (this.isStoreWritable) await withDeadline(this.flush(), drainDeadlineMs).catch(() => {});
    this.stopped.abort();
    this.timer.stop();
    await this.mover.current;
    this.buffer.returnBatch();
    await this.moveToSpool();
    const { spooled } = this.total;
    if (spooled > 0) this.log.warn({ records: spooled }, 'request log: records stay in the spool for the next start');
    const lost = this.buffer.clear();
    this.dropped.count += lost;
    if (lost > 0)
      this.log.error({ records: lost }, 'request log: records are lost, neither database nor spool accepted them');
    await this.spool.close();
  }

  /** Calls `onRecord` with the records so far, without waiting for their batch. */
  emitRecords(): void {
    const records = this.buffer.takeUnemitted();
    if (records.length > 0) this.onRecord.emit(records);
  }

  private onTimer() {
    if (this.buffer.waitingCount === 0) return;
    this.dispatch();
    this.timer.set();
  }

  /** Sends the waiting records to the database, or to the spool while the database is down or slow. */
  private dispatch() {
    const isSlow = performance.now() - this.sentAt > slowAfterMs(this.options.flushIntervalMs);
    if (isSlow || !this.isStoreWritable) void this.moveToSpool();
    else this.buffer.markDue();
    this.startLoop();
  }

  /** Dispatches until the current records were written, spooled or dropped, and `isDone()` is true. */
  private async drainUntil(isDone: () => boolean) {
    const target = this.total.accepted - this.dropped.count;
    const isDrained = () =>
      this.buffer.size === 0 || this.total.accepted - this.dropped.count - this.buffer.size >= target;
    while (!(isDrained() && isDone()) && !this.stopped.signal.aborted) {
      this.dispatch();
      // The pause lets other work run that a step may wait for.
      await Promise.all([sleep(1), Promise.race([this.step, this.mover.current ?? this.step])]);
    }
  }

  /** Starts the loop, unless it runs. */
  private startLoop() {
    if (this.isLooping) return;
    this.isLooping = true;
    void inBackground(() => this.loop()).finally(() => {
      this.isLooping = false;
      if (this.buffer.waitingCount > 0) this.timer.set();
    });
  }

  private async loop() {
    while (!this.stopped.signal.aborted && (this.buffer.dueCount > 0 || !this.spool.isEmpty)) {
      this.step = this.runStep();
      await this.step;
    }
  }

  private async runStep() {
    // While the database is down only the spool is tried, oldest first. Otherwise buffer and spool take turns.
    const shouldSend = this.spool.isEmpty || (this.buffer.dueCount > 0 && !this.isStoreDown && !this.wasLastStepSend);
    try {
      await this.store.ready;
      this.wasLastStepSend = shouldSend;
      await (shouldSend ? this.send() : this.replay());
      this.outage.ended('request log: the database accepts records again', { attempts: this.failures });
      if (this.buffer.waitingCount === 0) this.mover.endOutage();
      this.failures = 0;
    } catch (error) {
      if (this.stopped.signal.aborted) return;
      this.failures++;
      const { buffered, spooled } = this.counts;
      this.outage.failed('request log: a batch failed, trying again', error, {
        attempt: this.failures,
        buffered,
        spooled,
      });
      await this.moveToSpool();
      await backoff(this.failures, this.stopped.signal).catch(() => {});
    }
  }

  private async send() {
    this.emitRecords();
    const batch = this.buffer.takeBatch(maxBatchRows);
    try {
      await this.storeBatch(batch, () => this.buffer.finishBatch());
      // Small batches without a pause cost more, so only a full one is sent at once.
      if (this.buffer.waitingCount >= maxBatchRows) this.buffer.markDue();
    } catch (error) {
      this.stopped.signal.throwIfAborted();
      this.buffer.returnBatch();
      throw error;
    }
  }

  private async replay() {
    const { segment, batches, lost } = await this.spool.oldest();
    this.total.spooled -= lost;
    if (lost > 0) this.dropped.add(lost, 'a spool file is damaged or was removed');
    if (!segment) return;
    for (const batch of batches) {
      await this.storeBatch(batch, () => {
        this.total.spooled -= batch.records.length;
        segment.stored += batch.records.length;
      });
    }
    await this.spool.remove(segment);
    if (this.spool.isEmpty) this.log.info('request log: the spool is empty, all of its records are in the database');
  }

  /** @param removeBatch removes the batch from the buffer or the spool; runs in the same tick as the counters change */
  private async storeBatch(batch: Batch, removeBatch: () => void) {
    const { records } = batch;
    this.sentAt = performance.now();
    try {
      const { traceBatch = noTracing.traceBatch } = this.options;
      const rejected = await traceBatch(records, () => this.store.write(batch));
      this.stopped.signal.throwIfAborted();
      const stored = rejected.length > 0 ? records.filter((record) => !rejected.includes(record)) : records;
      removeBatch();
      this.total.written += stored.length;
      // Their charges are not held: if these are the reason, the database would reject the next record as well.
      if (rejected.length > 0) this.dropped.add(rejected.length, 'the database rejects them');
      if (this.buffer.size < this.options.bufferRows / 2)
        this.dropped.ended(bufferIsFull, 'request log: the buffer has room again');
      this.onBatch.emit(stored, (performance.now() - this.sentAt) / 1000);
    } finally {
      this.sentAt = Number.POSITIVE_INFINITY;
    }
  }

  /** Moves the waiting records to the spool. */
  private async moveToSpool() {
    if (this.spool.isDisabled) return;
    this.emitRecords();
    await this.mover.move();
    // The loop may have ended before these records were in the spool.
    this.startLoop();
  }
}
