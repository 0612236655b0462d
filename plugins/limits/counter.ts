import { LRUCache } from 'lru-cache';
import type { RateLimitState } from './rate-limit-state.js';

/** Whose requests are counted, and their limit. */
export interface RateLimitTarget {
  /** Each kind is counted in a cache of its own, so that invalid keys cannot evict the counts of valid ones. */
  kind: 'key' | 'invalid-key';
  id: string;
  /** Requests a minute. */
  limit: number;
}

/** Called with the state of the limit, or with an error of Redis. */
export type Counted = (error: Error | null, state?: RateLimitState) => void;

/** Counts one request of a target, in windows of a minute. */
export type Counter = (target: RateLimitTarget, counted: Counted) => void;

/** The length of a window. */
export const windowMs = 60_000;
/** Names of the limits in responses. */
const policies = { key: 'minute', 'invalid-key': 'unknown-keys' };
/** Targets of each kind that are counted in memory; the least recently used is evicted first. */
const maxTargets = 50_000;

/** Counts in the memory of this process, and calls back synchronously. */
export function countInMemory(): Counter {
  const windows = { key: new Windows(), 'invalid-key': new Windows() };
  return ({ kind, id, limit }, counted) => {
    const { count, leftMs } = windows[kind].add(id);
    counted(null, stateOf(kind, limit, count, leftMs));
  };
}

/** Windows of a minute that start with a target's first request, by the monotonic clock: a change of the host's clock has no effect. */
class Windows {
  private readonly windows = new LRUCache<string, { count: number; endsAtMs: number }>({ max: maxTargets });

  add(id: string): { count: number; leftMs: number } {
    const now = performance.now();
    let window = this.windows.get(id);
    if (!window || now >= window.endsAtMs) {
      window = { count: 0, endsAtMs: now + windowMs };
      this.windows.set(id, window);
    }
    window.count++;
    return { count: window.count, leftMs: window.endsAtMs - now };
  }
}

/** The state of a limit. @param leftMs of the window */
export function stateOf(kind: RateLimitTarget['kind'], limit: number, count: number, leftMs: number): RateLimitState {
  return {
    policy: policies[kind],
    windowSeconds: windowMs / 1_000,
    limit,
    remaining: Math.max(0, limit - count),
    // Rounded first: a sum of floating-point milliseconds can exceed the window by a fraction.
    resetSeconds: Math.ceil(Math.round(leftMs) / 1000),
    isExceeded: count > limit,
  };
}
