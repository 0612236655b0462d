import { setTimeout as sleep } from 'node:timers/promises';
import type { RequestRecord } from './record.js';

/** Records since the last call, and how many more did not fit into the queue. */
export interface TailChunk {
  records: RequestRecord[];
  missed: number;
}

/** A bounded queue of the records of this process, for a reader that can be slower. */
export class Tail {
  private readonly shouldQueue: (record: RequestRecord) => boolean;
  private readonly maxRecords: number;
  private waiting: RequestRecord[] = [];
  private missed = 0;
  private wake = () => {};

  /**
   * @param shouldQueue whether to queue a record
   * @param maxRecords the size of the queue; further records are only counted
   */
  constructor(shouldQueue: (record: RequestRecord) => boolean, maxRecords: number) {
    this.shouldQueue = shouldQueue;
    this.maxRecords = maxRecords;
  }

  push(records: readonly RequestRecord[]): void {
    for (const record of records) {
      if (!this.shouldQueue(record)) continue;
      if (this.waiting.length < this.maxRecords) this.waiting.push(record);
      else this.missed++;
    }
    if (this.waiting.length > 0) this.wake();
  }

  /**
   * Waits for records.
   *
   * @param timeoutMs how long to wait; then the chunk is empty
   */
  async next(timeoutMs: number): Promise<TailChunk> {
    if (this.waiting.length === 0) {
      const timeout = new AbortController();
      const woken = new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      await Promise.race([woken, sleep(timeoutMs, undefined, { ref: false, signal: timeout.signal })]);
      timeout.abort();
    }
    const chunk = { records: this.waiting, missed: this.missed };
    this.waiting = [];
    this.missed = 0;
    return chunk;
  }
}
