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
/** The largest number of batches whose charges wait in memory. */
const maxWaiting = 10_000;

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
  /** Batches that were settled or wait: a batch is sent again while ClickHouse is down. */
  private readonly accepted = new LRUCache<string, true>({ max: maxWaiting });
  private readonly stopped = new AbortController();
  private retrying: Promise<void> | undefined;

  /** @param quotas called with the charges that were settled */
  constructor(store: Pick<ChargeStore, 'settle'>, quotas: Pick<QuotaCounter, 'settle'>, log: FastifyBaseLogger) {
    this.store = store;
    this.quotas = quotas;
    this.log = log;
    this.outage = new OutageLog(log);
  }

  /**
   * Settles the charges of a batch, before its rows are sent. A batch that is sent again is settled once.
   *
   * @returns whether they are settled; otherwise they wait. Never rejects
   */
  async settle({ records }: Batch): Promise<boolean> {
    const charges = records.flatMap(({ charges }) => charges);
    // The first records may have no charges, because these were settled before: their id is known already.
    const first = records.find(({ charges }) => charges.length > 0);
    if (charges.length === 0 || first === undefined) return true;
    const { id } = first;
    if (this.accepted.has(id)) return !this.waiting.some((unsettled) => unsettled.id === id);
    this.accepted.set(id, true);
    try {
      if (this.waiting.length === 0) {
        await this.trySettle({ id, charges });
        return true;
      }
    } catch (error) {
      this.reportFailure(error);
    }
    this.wait({ id, charges });
    return false;
  }

  /** Settles what waits, for up to a second. */
  async close(): Promise<void> {
    if (this.retrying) await withDeadline(this.retrying, closeDeadlineMs).catch(() => {});
    this.stopped.abort();
    if (this.waiting.length > 0)
      this.log.error(
        { batches: this.waiting.length },
        'quotas: charges wait for the database; those of batches in the spool are settled after the next start, others are lost',
      );
  }

  private wait(unsettled: Unsettled) {
    if (this.waiting.length >= maxWaiting) {
      const lost = this.waiting.shift();
      // If the batch is in the spool, its charges are settled with its rows.
      if (lost) this.accepted.delete(lost.id);
      this.log.error(
        'quotas: too many charges wait for the database, those of batches that are not in the spool are lost',
      );
    }
    this.waiting.push(unsettled);
    this.retrying ??= inBackground(() => this.retry()).finally(() => {
      this.retrying = undefined;
    });
  }

  private async retry() {
    const { signal } = this.stopped;
    for (let failures = 1; this.waiting.length > 0; ) {
      if (failures > 0) await backoff(failures, signal).catch(() => {});
      if (signal.aborted) return;
      try {
        const [first] = this.waiting as [Unsettled];
        await this.trySettle(first);
        // It is no longer the first if too many wait.
        const at = this.waiting.indexOf(first);
        if (at !== -1) this.waiting.splice(at, 1);
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
