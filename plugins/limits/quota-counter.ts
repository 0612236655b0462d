import { LRUCache } from 'lru-cache';
import { clock } from '../clock.js';
import { exceeds } from './limit.js';
import { type LimitState, stateOf } from './limit-state.js';
import { type Quota, type QuotaState, type QuotaWindow, quotaStateOf, windowAt } from './quota.js';

/** A quota, and whose requests it counts. */
export interface CountedQuota extends Quota {
  kind: 'key' | 'owner';
  /** The id of the owner, or of the first key in a chain of rotations. */
  id: string;
  /** The key that the request came with, for events. */
  apiKeyId: string;
  /** Its owner, for events. */
  ownerId: string | null;
  /** Requests before this time do not count, in milliseconds since 1970; null: it was never reset. */
  resetAt: number | null;
  /** Its name in responses. */
  policy: string;
}

/** A window of a quota: of a key or an owner. */
export interface QuotaWindowId {
  kind: 'key' | 'owner';
  id: string;
  /** The start of the window, in milliseconds since 1970. */
  start: number;
}

/** What a request has used of a quota. Stored with the record of the request, and settled: added once to the table `quota_usage`. */
export interface QuotaCharge extends QuotaWindowId {
  /** The cost of the request. */
  units: number;
  /** The replica that counts it until it is settled. */
  replica: string;
}

/** What was used of a quota by all replicas, as far as the database knows. */
export interface QuotaTotal extends QuotaWindowId {
  used: number;
}

/** A reservation for one request: all of its quotas, or none. */
export interface Reservation {
  /** Whether a quota is used up, so that nothing was reserved. */
  isExceeded: boolean;
  charges: readonly QuotaCharge[];
}

interface Count extends QuotaTotal {
  /** Units of this process that the database does not have. */
  unsettled: number;
  quota: CountedQuota | undefined;
}

const none: Reservation = { isExceeded: false, charges: [] };
const exceeded: Reservation = { isExceeded: true, charges: [] };

/**
 * Counts quotas in memory: the total that the database had last, and what this process has charged since. A batch of the request log
 * settles the charges, and returns the totals of all replicas.
 */
export class QuotaCounter {
  private readonly replica = crypto.randomUUID();
  private readonly counts: LRUCache<string, Count>;
  private flushSoon = () => {};
  private totalListener = (_quota: CountedQuota, _total: QuotaTotal) => {};

  /** @param maxWindows in memory; the least recently used is evicted first */
  constructor(maxWindows: number) {
    this.counts = new LRUCache({ max: maxWindows });
  }

  /** Sets the function that flushes the request log within a third of its interval. */
  setFlushSoon(flushSoon: () => void): void {
    this.flushSoon = flushSoon;
  }

  /** Sets the function that is called with the total of each quota that was settled, or that denies a request. */
  setTotalListener(listener: (quota: CountedQuota, total: QuotaTotal) => void): void {
    this.totalListener = listener;
  }

  /** Charges a request to all of the quotas, or to none. A cost of 0 charges nothing, and is denied when 1 would be. */
  reserve(quotas: readonly CountedQuota[], cost: number): Reservation {
    if (quotas.length === 0) return none;
    const counts = quotas.map((quota) => this.countOf(quota));
    const full = counts.filter((count, i) => exceeds(quotas[i] as CountedQuota, usedOf(count), cost));
    for (const count of full) this.report(count, usedOf(count));
    if (full.length > 0) return exceeded;
    if (cost === 0) return none;
    for (const [i, count] of counts.entries()) {
      count.unsettled += cost;
      // The other replicas must learn of these units before the quota is used up.
      if (count.unsettled * 10 > (quotas[i] as CountedQuota).limit - count.used) this.flushSoon();
    }
    const charges = counts.map(({ kind, id, start }) => ({ kind, id, start, units: cost, replica: this.replica }));
    return { isExceeded: false, charges };
  }

  /** Cancels a reservation. */
  release({ charges }: Reservation): void {
    for (const charge of charges) this.subtract(charge);
  }

  /** Subtracts settled charges, and stores the new totals. Both must come from the same statement. */
  settle(charges: readonly QuotaCharge[], totals: readonly QuotaTotal[]): void {
    for (const charge of charges) if (charge.replica === this.replica) this.subtract(charge);
    for (const total of totals) {
      this.recordTotal(total);
      this.report(this.entryOf(total), total.used);
    }
  }

  /** Stores a total that was read from the database. Totals only grow within a window, so a smaller one is outdated. */
  recordTotal(total: QuotaTotal): void {
    const count = this.entryOf(total);
    count.used = Math.max(count.used, total.used);
  }

  stateOf(quota: CountedQuota): QuotaState {
    return quotaStateOf(quota, usedOf(this.countOf(quota)), clock.now());
  }

  /** The state as headers show it. @param cost of a request that was denied; undefined: it was charged */
  limitStateOf(quota: CountedQuota, cost?: number): LimitState {
    const { policy, limit } = quota;
    const used = usedOf(this.countOf(quota));
    const { endsAt, periodSeconds } = windowOf(quota);
    const isExceeded = cost !== undefined && exceeds(quota, used, cost);
    const state = { policy, limit, windowSeconds: periodSeconds };
    return { ...stateOf(state, used, endsAt - clock.now(), isExceeded), resetsAt: endsAt };
  }

  private report({ kind, id, start, quota }: Count, used: number) {
    if (quota) this.totalListener(quota, { kind, id, start, used });
  }

  private countOf(quota: CountedQuota): Count {
    const { start, name } = windowOf(quota);
    const count = this.counts.get(name) ?? this.entryOf({ kind: quota.kind, id: quota.id, start });
    count.quota = quota;
    return count;
  }

  private entryOf({ kind, id, start }: QuotaWindowId): Count {
    const name = windowKeyOf({ kind, id, start });
    let count = this.counts.get(name);
    if (!count) {
      count = { kind, id, start, used: 0, unsettled: 0, quota: undefined };
      this.counts.set(name, count);
    }
    return count;
  }

  private subtract(charge: QuotaCharge) {
    const count = this.entryOf(charge);
    count.unsettled = Math.max(0, count.unsettled - charge.units);
  }
}

function usedOf({ used, unsettled }: Count): number {
  return used + unsettled;
}

const currentWindow = Symbol('current window');
type CachedQuota = CountedQuota & { [currentWindow]?: QuotaWindow & { name: string } };

/** The current window of a quota. Cached with the quota, because each request needs it. */
function windowOf(quota: CachedQuota): QuotaWindow & { name: string } {
  const now = clock.now();
  let window = quota[currentWindow];
  if (!window || now >= window.endsAt) {
    window = { ...windowAt(quota.period, quota.resetAt, now), name: '' };
    window.name = windowKeyOf({ ...quota, start: window.start });
    quota[currentWindow] = window;
  }
  return window;
}

export function windowKeyOf({ kind, id, start }: QuotaWindowId): string {
  return `${kind}:${id}:${start}`;
}
