import type { FastifyBaseLogger } from 'fastify';
import { OutageLog } from '../database/outage-log.js';

/** Counts records that are dropped, and logs why. */
export class DroppedRecords {
  private readonly log: FastifyBaseLogger;
  private readonly outages = new Map<string, OutageLog>();
  count = 0;

  constructor(log: FastifyBaseLogger) {
    this.log = log;
  }

  add(records: number, reason: string): void {
    this.count += records;
    const outage = this.outages.get(reason) ?? new OutageLog(this.log, 'error');
    this.outages.set(reason, outage);
    outage.failed(`request log: records are dropped, ${reason}`, reason, { dropped: this.count });
  }

  /** Logs that a reason has ended, if records were dropped for it. */
  ended(reason: string, message: string): void {
    this.outages.get(reason)?.ended(message, { dropped: this.count });
  }
}
