import { LRUCache } from 'lru-cache';
import { exceeds, type Limit } from './limit.js';
import { type ChargeResult, type LimitState, stateOf } from './limit-state.js';

/** A limit, and whose requests it counts. */
export interface CountedLimit extends Limit {
  /** Each kind is counted in a cache of its own, so that invalid keys cannot evict the counts of valid ones. */
  kind: 'key' | 'owner' | 'invalid-key';
  id: string;
  /** The owner of the key, if the key has one. */
  ownerId?: string | null;
  /** Its name in responses: the name, or `owner:` and the name. */
  policy: string;
}

/** Called with the result of a charge, or with an error of Redis. */
export type ChargeCallback = (error: Error | null, result?: ChargeResult) => void;

/**
 * Charges the cost of a request to all of the limits, or to none if it exceeds one. A cost of 0 charges nothing, and is denied when a
 * cost of 1 would be.
 */
export type Counter = (limits: readonly CountedLimit[], cost: number, charged: ChargeCallback) => void;

/** Targets of each kind that are counted in memory; the least recently used is evicted first. */
const maxTargets = 50_000;

/** Creates a counter in the memory of this process, which calls back synchronously. */
export function createMemoryCounter(): Counter {
  const targets = { key: new WindowCache(), owner: new WindowCache(), 'invalid-key': new WindowCache() };
  return (limits, cost, charged) => {
    const now = performance.now();
    const windows: Window[] = [];
    let isExceeded = false;
    for (const limit of limits) {
      const window = targets[limit.kind].windowOf(limit, now);
      windows.push(window);
      if (exceeds(limit, window.count, cost)) isExceeded = true;
    }
    const states: LimitState[] = [];
    for (let i = 0; i < limits.length; i++) {
      const [limit, window] = [limits[i] as CountedLimit, windows[i] as Window];
      if (!isExceeded) window.count += cost;
      const { count, endsAtMs } = window;
      states.push(stateOf(limit, count, endsAtMs - now, isExceeded && exceeds(limit, count, cost)));
    }
    charged(null, { isExceeded, states });
  };
}

interface Window {
  windowSeconds: number;
  count: number;
  endsAtMs: number;
}

/** Windows that start with a target's first request, by the monotonic clock: a change of the host's clock has no effect. */
class WindowCache {
  private readonly targets = new LRUCache<string, Window[]>({ max: maxTargets });

  windowOf({ id, windowSeconds }: CountedLimit, now: number): Window {
    let windows = this.targets.get(id);
    if (!windows) {
      windows = [];
      this.targets.set(id, windows);
    }
    let window = windows.find((window) => window.windowSeconds === windowSeconds);
    if (!window) {
      // Drops ended windows, so that those of removed limits do not accumulate.
      const current = windows.filter(({ endsAtMs }) => now < endsAtMs);
      window = { windowSeconds, count: 0, endsAtMs: now + windowSeconds * 1_000 };
      windows.splice(0, windows.length, ...current, window);
    } else if (now >= window.endsAtMs) {
      window.count = 0;
      window.endsAtMs = now + windowSeconds * 1_000;
    }
    return window;
  }
}
