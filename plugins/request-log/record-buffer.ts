import { type Batch, sealed } from './batch.js';
import type { RequestRecord } from './record.js';

/** Records on their way to the spool. */
export interface Chunk {
  readonly records: readonly RequestRecord[];
  /** Whether they are a batch that the store may have. */
  readonly wasSent: boolean;
}

/**
 * The records in memory. Each is in one of four places: waiting for a batch, in a batch that failed, in the batch that is being sent, or on
 * its way to the spool.
 */
export class RecordBuffer {
  private waiting: RequestRecord[] = [];
  private failed: Batch[] = [];
  private sending: Batch | undefined;
  private spooling: Chunk[] = [];
  private due = 0;
  private unemitted: RequestRecord[] = [];

  get size(): number {
    return this.waitingCount + (this.sending?.records.length ?? 0) + countOf(this.spooling);
  }

  /** How many records are neither being sent nor on their way to the spool. */
  get waitingCount(): number {
    return countOf(this.failed) + this.waiting.length;
  }

  /** How many of the waiting records are to be sent now. */
  get dueCount(): number {
    return countOf(this.failed) + this.due;
  }

  push(record: RequestRecord): void {
    this.waiting.push(record);
    this.unemitted.push(record);
  }

  /** The records that were added since the last call, wherever they are now: those that `onRecord` was not called with. */
  takeUnemitted(): readonly RequestRecord[] {
    const records = this.unemitted;
    this.unemitted = [];
    return records;
  }

  /** Makes all waiting records due. */
  markDue(): void {
    this.due = this.waiting.length;
  }

  /** The next batch to send: one that failed, or due records. */
  takeBatch(maxRows: number): Batch {
    this.sending = this.failed.shift() ?? this.sealDue(maxRows);
    return this.sending;
  }

  /** Removes the batch, which was stored or rejected. */
  finishBatch(): void {
    this.sending = undefined;
  }

  /** Puts the batch back in front of the waiting records, and makes all of them due. */
  returnBatch(): void {
    if (this.sending) this.failed.unshift(this.sending);
    this.sending = undefined;
    this.markDue();
  }

  /** Moves all waiting records to those that are being spooled. */
  startSpooling(maxRows: number): void {
    this.spooling = this.failed.map(({ records }) => ({ records, wasSent: true }));
    for (let at = 0; at < this.waiting.length; at += maxRows)
      this.spooling.push({ records: this.waiting.slice(at, at + maxRows), wasSent: false });
    this.failed = [];
    this.waiting = [];
    this.due = 0;
  }

  /** The next records to write to the spool, oldest first. */
  get nextChunk(): Chunk | undefined {
    return this.spooling[0];
  }

  /** Removes a chunk that the spool has. */
  finishChunk(): void {
    this.spooling.shift();
  }

  /** Returns records that were not spooled to the front of the waiting records. */
  returnSpooling(): void {
    const recordsOf = (wasSent: boolean) =>
      this.spooling.filter((chunk) => chunk.wasSent === wasSent).map(({ records }) => records);
    this.failed = [...recordsOf(true).map(sealed), ...this.failed];
    this.waiting = [...recordsOf(false).flat(), ...this.waiting];
    this.spooling = [];
    this.markDue();
  }

  /** Removes all waiting records, and returns how many there were. */
  clear(): number {
    const count = this.waitingCount;
    this.failed = [];
    this.waiting = [];
    this.due = 0;
    return count;
  }

  private sealDue(maxRows: number): Batch {
    const records = this.waiting.splice(0, Math.min(this.due, maxRows));
    this.due -= records.length;
    return sealed(records);
  }
}

function countOf(parts: readonly { records: readonly RequestRecord[] }[]): number {
  return parts.reduce((sum, { records }) => sum + records.length, 0);
}
