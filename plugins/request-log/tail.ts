import { setTimeout as sleep } from 'node:timers/promises';
import type { RequestRecord } from './record.js';

/** What has come since the last time: records, and how many more there were that found no room. */
export interface News {
  records: RequestRecord[];
  missed: number;
}

/** The records of this process as they come, for one who may be slower than they are. */
export class Tail {
  private readonly accepts: (record: RequestRecord) => boolean;
  private readonly maxRecords: number;
  private waiting: RequestRecord[] = [];
  private missed = 0;
  private wake = () => {};

  /**
   * @param accepts which records it is about
   * @param maxRecords how many wait at the most; more are counted only
   */
  constructor(accepts: (record: RequestRecord) => boolean, maxRecords: number) {
    this.accepts = accepts;
    this.maxRecords = maxRecords;
  }

  push(records: readonly RequestRecord[]): void {
    for (const record of records) {
      if (!this.accepts(record)) continue;
      if (this.waiting.length < this.maxRecords) this.waiting.push(record);
      else this.missed++;
    }
    if (this.waiting.length > 0) this.wake();
  }

  /**
   * Waits for news, but not for ever.
   *
   * @param patienceMs after which there may be none
   */
  async next(patienceMs: number): Promise<News> {
    if (this.waiting.length === 0) {
      const patience = new AbortController();
      const woken = new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      await Promise.race([woken, sleep(patienceMs, undefined, { ref: false, signal: patience.signal })]);
      patience.abort();
    }
    const news = { records: this.waiting, missed: this.missed };
    this.waiting = [];
    this.missed = 0;
    return news;
  }
}
