import type { RequestRecord } from './record.js';

/**
 * The records in memory. Each is in one of three places: waiting for a batch, in the batch that is being sent, or on its way to the
 * spool.
 */
export class RecordBuffer {
  private waiting: RequestRecord[] = [];
  private sending: readonly RequestRecord[] = [];
  private spooling: readonly RequestRecord[] = [];
  private due = 0;
  private unemitted: RequestRecord[] = [];

  get size(): number {
    return this.waiting.length + this.sending.length + this.spooling.length;
  }

  get waitingCount(): number {
    return this.waiting.length;
  }

  /** How many of the waiting records are to be sent now. */
  get dueCount(): number {
    return this.due;
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

  /** Moves due records into the batch that is being sent. */
  takeBatch(maxRows: number): readonly RequestRecord[] {
    const batch = this.waiting.splice(0, Math.min(this.due, maxRows));
    this.due -= batch.length;
    this.sending = batch;
    return batch;
  }

  /** Removes the batch, which was stored or rejected. */
  finishBatch(): void {
    this.sending = [];
  }

  /** Puts the batch back in front of the waiting records, and makes all of them due. */
  returnBatch(): void {
    this.waiting = [...this.sending, ...this.waiting];
    this.sending = [];
    this.markDue();
  }

  /** Moves all waiting records to those that are being spooled. */
  startSpooling(): void {
    this.spooling = this.waiting;
    this.waiting = [];
    this.due = 0;
  }

  /** The next records to write to the spool, oldest first. */
  nextChunk(maxRows: number): readonly RequestRecord[] {
    return this.spooling.slice(0, maxRows);
  }

  /** Removes a chunk that the spool has. */
  finishChunk(chunk: readonly RequestRecord[]): void {
    this.spooling = this.spooling.slice(chunk.length);
  }

  /** Returns records that were not spooled to the front of the waiting records. */
  returnSpooling(): void {
    this.waiting = [...this.spooling, ...this.waiting];
    this.spooling = [];
    this.markDue();
  }

  /** Removes all waiting records, and returns how many there were. */
  clear(): number {
    const count = this.waiting.length;
    this.waiting = [];
    this.due = 0;
    return count;
  }
}
