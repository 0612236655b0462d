import type { FastifyBaseLogger } from 'fastify';
import { LRUCache } from 'lru-cache';
import { inBackground } from '../../../background.js';
import { backoff } from '../../../database/backoff.js';
import { withDeadline } from '../../../database/deadline.js';
import { OutageLog } from '../../../database/outage-log.js';
import type { QuotaCharge, QuotaCounter } from '../../../limits/quota-counter.js';
import type { Batch } from '../../batch.js';
import type { ChargeStore } from '../postgres/charge-store.js';

const closeDeadlineMs = 1_000;
/** The largest number of charges that wait in memory: about 50 MB. */
const maxWaitingCharges = 200_000;
/** How many batches are known, so that a batch that is sent again, or replayed from the spool, is not settled twice. */
const maxKnownBatches = 10_000;

interface Unsettled {
  id: string;
  charges: readonly QuotaCharge[];
}

/**
 * Settles the charges of batches in PostgreSQL. While it is down, they wait in memory, and the rows do not wait for them. When the process
 * ends, charges that wait are lost, except for those of batches in the spool.
 */
export class ChargeQueue {
  private readonly store: Pick<ChargeStore, 'settle'>;
  private readonly quotas: Pick<QuotaCounter, 'settle'>;
  private readonly log: FastifyBaseLogger;
  private readonly outage: OutageLog;
  private readonly waiting: Unsettled[] = [];
  private waitingCharges = 0;
  /** Batches that were settled, wait or are being settled. */
  private readonly known = new LRUCache<string, true>({ max: maxKnownBatches });
  /** First attempts that run, by batch. */
  private readonly attempts = new Map<string, Promise<void>>();
  private readonly stopped = new AbortController();
  private retrying: Promise<void> | undefined;

  /** @param quotas called with the charges that were settled */
  constructor(store: Pick<ChargeStore, 'settle'>, quotas: Pick<QuotaCounter, 'settle'>, log: FastifyBaseLogger) {
    this.store = store;
    this.quotas = quotas;
    this.log = log;
    this.outage = new OutageLog(log);
  }

  /** Settles the charges of a batch, once. Resolves when they are settled, or wait because the database fails. Never rejects. */
  async settle({ records }: Batch): Promise<void> {
    const charges = records.flatMap(({ charges }) => charges);
    const [first] = records;
    if (charges.length === 0 || first === undefined) return;
    const { id } = first;
    if (this.known.has(id)) return this.attempts.get(id);
    this.known.set(id, true);
    const attempt = this.settleOrWait({ id, charges });
    this.attempts.set(id, attempt);
    await attempt.finally(() => this.attempts.delete(id));
  }

  /** Settles what waits, for up to a second. */
  async close(): Promise<void> {
    const settled = Promise.all(this.attempts.values()).then(() => this.retrying);
    await withDeadline(settled, closeDeadlineMs).catch(() => {});
    this.stopped.abort();
    const batches = this.waiting.length + this.attempts.size;
    if (batches > 0)
      this.log.error(
        { batches },
        'quotas: charges wait for the database; those of batches in the spool are settled after the next start, others are lost',
      );
  }

  private async settleOrWait(unsettled: Unsettled) {
    try {
      if (this.waiting.length === 0) return await this.trySettle(unsettled);
    } catch (error) {
      this.reportFailure(error);
    }
    this.wait(unsettled);
  }

  private wait(unsettled: Unsettled) {
    this.waiting.push(unsettled);
    this.waitingCharges += unsettled.charges.length;
    while (this.waitingCharges > maxWaitingCharges && this.waiting.length > 1) {
      const dropped = this.remove(this.waiting[0] as Unsettled);
      // If the batch is in the spool, its replay settles the charges.
      this.known.delete(dropped.id);
      this.log.error(
        { charges: dropped.charges.length },
        'quotas: too many charges wait for the database, those of a batch that is not in the spool are lost',
      );
    }
    this.retrying ??= inBackground(() => this.retry()).finally(() => {
      this.retrying = undefined;
    });
  }

  private remove(unsettled: Unsettled): Unsettled {
    const at = this.waiting.indexOf(unsettled);
    if (at === -1) return unsettled;
    this.waiting.splice(at, 1);
    this.waitingCharges -= unsettled.charges.length;
    return unsettled;
  }

  private async retry() {
    const { signal } = this.stopped;
    for (let failures = 1; this.waiting.length > 0; ) {
      if (failures > 0) await backoff(failures, signal).catch(() => {});
      if (signal.aborted) return;
      try {
        const [first] = this.waiting as [Unsettled];
        await this.trySettle(first);
        this.remove(first);
        failures = 0;
        this.outage.ended('quotas: charges can be settled again');
      } catch (error) {
        failures++;
        this.reportFailure(error);
      }
    }
  }

  private async trySettle({ id, charges }: Unsettled) {
    this.quotas.settle(charges, await this.store.settle(id, charges));
  }

  private reportFailure(error: unknown) {
    this.outage.failed('quotas: charges cannot be settled, trying again', error, { batches: this.waiting.length });
  }
}
