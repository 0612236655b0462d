import { createRequire } from 'node:module';
import type { Redis } from 'ioredis';
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

/**
 * The Redis store of `@fastify/rate-limit`, used without the plugin: the plugin's asynchronous hooks cost more than authentication.
 */
interface RedisStore {
  incr(
    id: string,
    done: (error: Error | null, count: { current: number; ttl: number }) => void,
    windowMs: number,
    limit: number,
  ): void;
}
type RedisStoreClass = new (
  continueExceeding: boolean,
  exponentialBackoff: boolean,
  redis: Redis,
  prefix: string,
) => RedisStore;

const minuteMs = 60_000;
/** Targets of each kind that are counted in memory; the least recently used is evicted first. */
const maxTargets = 50_000;

/** Counts in the memory of this process, and calls back synchronously. */
export function countInMemory(): Counter {
  const windows = { key: new Windows(), 'invalid-key': new Windows() };
  return ({ kind, id, limit }, counted) => {
    const { count, leftMs } = windows[kind].add(id);
    counted(null, stateOf(limit, count, leftMs));
  };
}

/** Counts in Redis, for all replicas that use it. A window ends by the clock of Redis. */
export function countInRedis(redis: Redis): Counter {
  const Store: RedisStoreClass = createRequire(import.meta.url)('@fastify/rate-limit/store/RedisStore');
  const stores = {
    key: new Store(false, false, redis, 'musicez:limit:key:'),
    'invalid-key': new Store(false, false, redis, 'musicez:limit:guesser:'),
  };
  return ({ kind, id, limit }, counted) => {
    const done = (error: Error | null, count: { current: number; ttl: number }) =>
      error ? counted(error) : counted(null, stateOf(limit, count.current, count.ttl));
    stores[kind].incr(id, done, minuteMs, limit);
  };
}

/** Windows of a minute that start with a target's first request, by the monotonic clock: a change of the host's clock has no effect. */
class Windows {
  private readonly windows = new LRUCache<string, { count: number; endsAtMs: number }>({ max: maxTargets });

  add(id: string): { count: number; leftMs: number } {
    const now = performance.now();
    let window = this.windows.get(id);
    if (!window || now >= window.endsAtMs) {
      window = { count: 0, endsAtMs: now + minuteMs };
      this.windows.set(id, window);
    }
    window.count++;
    return { count: window.count, leftMs: window.endsAtMs - now };
  }
}

function stateOf(limit: number, count: number, leftMs: number): RateLimitState {
  return {
    limit,
    remaining: Math.max(0, limit - count),
    // Rounded first: a sum of floating-point milliseconds can exceed the window by a fraction.
    resetSeconds: Math.ceil(Math.round(leftMs) / 1000),
    isExceeded: count > limit,
  };
}
