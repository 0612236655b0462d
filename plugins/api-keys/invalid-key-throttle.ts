import { normalizeIP } from '@fastify/rate-limit';
import { LRUCache } from 'lru-cache';
import type { CountedLimit } from '../limits/counter.js';
import type { Limits } from '../limits/index.js';
import { minuteName } from '../limits/limit.js';
import { type LimitState, stateOf, tightestOf } from '../limits/limit-state.js';

/** Invalid keys per address and minute that get a 401; further ones are rate limited. */
const limit = 60;
const windowSeconds = 60;
/** The size of each cache of addresses; the least recently used is evicted first. */
const maxAddresses = 10_000;

/**
 * Denies unknown keys from an address that exceeds its limit, without a query. Callers skip this check for cached keys.
 */
export class InvalidKeyThrottle {
  private readonly limits: Limits;
  /** When each address's block ends, on the monotonic clock. */
  private readonly blocked = new LRUCache<string, number>({ max: maxAddresses });
  /** Failed lookups by address. During an outage no key can be proven invalid, so these are limited too. */
  private readonly failedLookups = new LRUCache<string, { count: number; endsAtMs: number }>({ max: maxAddresses });

  constructor(limits: Limits) {
    this.limits = limits;
  }

  /**
   * Decides whether an uncached key is denied without a lookup.
   *
   * @param isIdle whether no lookup runs; failed lookups then do not block this one, so that it can detect recovery
   * @returns the state of the address's limit when it is denied, otherwise undefined
   */
  check(ip: string, isIdle: boolean): LimitState | undefined {
    const address = networkOf(ip);
    const now = performance.now();
    const blockedUntil = this.blocked.get(address) ?? 0;
    if (now < blockedUntil) return exceededUntil(blockedUntil, now);
    const failures = this.failedLookups.get(address);
    if (isIdle || !failures || failures.count <= limit || now >= failures.endsAtMs) return undefined;
    return exceededUntil(failures.endsAtMs, now);
  }

  /** Counts an invalid key. */
  countInvalid(ip: string, counted: (state: LimitState) => void): void {
    const address = networkOf(ip);
    this.limits.charge([limitOf(address)], 1, ({ states }) => {
      const state = tightestOf(states);
      if (state.isExceeded) this.blocked.set(address, performance.now() + state.resetSeconds * 1000);
      counted(state);
    });
  }

  /** Counts a failed lookup. */
  countFailedLookup(ip: string): void {
    const address = networkOf(ip);
    const now = performance.now();
    const failures = this.failedLookups.get(address);
    if (failures && now < failures.endsAtMs) failures.count++;
    else this.failedLookups.set(address, { count: 1, endsAtMs: now + windowSeconds * 1_000 });
  }

  /** Clears the failed lookups once the database responds again. */
  clearFailedLookups(): void {
    if (this.failedLookups.size > 0) this.failedLookups.clear();
  }
}

function limitOf(id: string): CountedLimit {
  return { kind: 'invalid-key', id, name: minuteName, policy: 'unknown-keys', limit, windowSeconds };
}

/** Groups IPv6 addresses by /64: one customer usually controls a whole /64. */
function networkOf(ip: string): string {
  return normalizeIP(ip, 64);
}

function exceededUntil(endsAtMs: number, now: number): LimitState {
  const state = stateOf(limitOf(''), limit, endsAtMs - now, true);
  return { ...state, resetSeconds: Math.max(1, state.resetSeconds) };
}
