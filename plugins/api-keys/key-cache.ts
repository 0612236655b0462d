import { LRUCache } from 'lru-cache';
import { withDeadline } from '../database/deadline.js';
import type { CountedLimit } from '../limits/counter.js';
import type { CountedQuota } from '../limits/quota-counter.js';
import type { AddressList } from './allowed-ips.js';
import type { Metadata } from './key-fields.js';

/** The fields of a key that requests need. */
export interface AuthenticatedKey {
  id: string;
  name: string;
  /** The key's first characters. */
  start: string;
  scopes: readonly string[];
  active: boolean;
  /** Null: never. For display: `monotonicExpiryMs` decides. */
  expiresAt: Date | null;
  /** The expiry on this process's monotonic clock, computed from the database's clock. Infinity: never. */
  monotonicExpiryMs: number;
  /** The limit named `minute` of the key itself; null: none. */
  rateLimitPerMinute: number | null;
  /** Its own rate limits, or the service's default, and then those of its owner. */
  limits: readonly CountedLimit[];
  /** Its own quota, and that of its owner. */
  quotas: readonly CountedQuota[];
  /** The customer that the key belongs to, by its id in the system of the caller. */
  ownerId: string | null;
  /** A JSON object of the caller. Parsed each time it is read, because cached text takes less memory than objects. */
  readonly metadata: Metadata | null;
  /** The length of the metadata as JSON, in characters. */
  metadataLength: number;
  /** The addresses of the clients that may use the key; null: all. */
  allowedIps: AddressList | null;
}

/** Reads a key from the database by its digest; null when there is none. */
export type FindKey = (digest: string) => Promise<AuthenticatedKey | null>;

export interface KeyCacheOptions {
  /** How long an entry is fresh, in milliseconds since it was last confirmed. */
  ttlMs: number;
  /** How long an entry is used while the database is down, in milliseconds since it was last confirmed. */
  maxStaleMs: number;
  /** The size of the cache; the least recently used entry is evicted first. */
  maxEntries: number;
}

interface Entry {
  key: AuthenticatedKey | null;
  /** When the database was queried. All times here are of the monotonic clock. */
  confirmedAt: number;
  /** Until when the entry is used without another query, after a query has failed. */
  servedUntil: number;
}

interface Lookup {
  /** Whether the key changed after the query began, so that the result must not be cached. */
  isOutdated: boolean;
  result: Promise<AuthenticatedKey | null>;
}

const maxMisses = 10_000;
/** The longest metadata of the cached keys on average, in characters. With longer metadata, fewer keys are cached. */
const maxMeanMetadataLength = 700;
const missTtlMs = 1_000;
const lookupDeadlineMs = 2_000;
const retryAfterFailureMs = 1_000;

/**
 * A cache of keys by digest. A hit is synchronous. Concurrent misses of the same key share one query.
 *
 * An entry is confirmed when it is read from the database. While change notifications arrive (`markReceived`), each heartbeat
 * confirms all entries that were not invalidated. When they stop, the time to live limits how long a revoked key is accepted.
 */
export class KeyCache {
  private readonly find: FindKey;
  private readonly options: KeyCacheOptions;
  private readonly now: () => number;
  private readonly entries: LRUCache<string, Entry>;
  // Separate from the keys, so that guessed keys cannot evict them.
  private readonly misses = new LRUCache<string, Entry>({ max: maxMisses });
  // Digests of keys that changed. A client that sends one of them has a changed or revoked key, and does not guess.
  private readonly changed = new LRUCache<string, true>({ max: maxMisses });
  private readonly lookups = new Map<string, Lookup>();
  private readonly changedOwners = new Set<string>();
  private receivedFrom = Number.NEGATIVE_INFINITY;
  /** All changes up to this time have been received. */
  receivedUntil = Number.NEGATIVE_INFINITY;

  /** @param now a monotonic clock, in milliseconds */
  constructor(find: FindKey, options: KeyCacheOptions, now = () => performance.now()) {
    this.find = find;
    this.options = options;
    this.now = now;
    this.entries = new LRUCache({
      max: options.maxEntries,
      maxSize: options.maxEntries * (1 + maxMeanMetadataLength),
      sizeCalculation: ({ key }) => 1 + (key?.metadataLength ?? 0),
    });
  }

  /** How many keys are cached. */
  get size(): number {
    return this.entries.size;
  }

  /** The key when a fresh entry has it; null when it is known not to exist; undefined when a lookup is needed. */
  peek(digest: string): AuthenticatedKey | null | undefined {
    if (this.changedOwners.size > 0) this.invalidateChangedOwners();
    const now = this.now();
    const entry = this.entries.get(digest);
    if (entry && this.isFresh(entry, now)) return entry.key;
    const miss = this.misses.get(digest);
    return miss && now < Math.max(miss.confirmedAt + missTtlMs, miss.servedUntil) ? null : undefined;
  }

  /** Whether the key is cached, fresh or not. */
  has(digest: string): boolean {
    return this.entries.has(digest);
  }

  /** Whether this process had read the key before it was changed or deleted. */
  hasChanged(digest: string): boolean {
    return this.changed.has(digest);
  }

  /**
   * Reads the key from the database. Concurrent calls for the same key share one query.
   *
   * @returns null when there is no such key
   * @throws the database's error, when no entry can be used in its place
   */
  lookup(digest: string): Promise<AuthenticatedKey | null> {
    let lookup = this.lookups.get(digest);
    if (!lookup) {
      lookup = { isOutdated: false, result: Promise.resolve(null) };
      lookup.result = this.read(digest, lookup);
      this.lookups.set(digest, lookup);
    }
    return lookup.result;
  }

  /** Removes a key that has changed. A lookup that began before the change does not fill the cache. */
  invalidate(digest: string): void {
    if (this.entries.delete(digest)) this.changed.set(digest, true);
    this.misses.delete(digest);
    const lookup = this.lookups.get(digest);
    if (lookup) lookup.isOutdated = true;
    this.lookups.delete(digest);
  }

  /** Removes all keys of an owner, whose limits have changed, before the next key is read from the cache. */
  invalidateOwner(ownerId: string): void {
    // Many owners can change at once: the cache is searched once for all of them.
    this.changedOwners.add(ownerId);
    // Lookups that run may have read the old limits.
    for (const digest of this.lookups.keys()) this.invalidate(digest);
  }

  private invalidateChangedOwners() {
    for (const [digest, { key }] of this.entries)
      if (key?.ownerId && this.changedOwners.has(key.ownerId)) this.invalidate(digest);
    this.changedOwners.clear();
  }

  /** Removes all keys, when it is not known which ones have changed. */
  invalidateAll(): void {
    for (const digest of [...this.entries.keys(), ...this.misses.keys(), ...this.lookups.keys()])
      this.invalidate(digest);
  }

  /**
   * Records that all changes between two times have been received and passed to `invalidate`.
   *
   * @param from the start of the connection; a new value means that changes may have been missed before
   * @param until the time of the last heartbeat
   */
  markReceived(from: number, until: number): void {
    if (from !== this.receivedFrom) {
      for (const entry of this.entries.values()) entry.confirmedAt = this.lastConfirmed(entry);
      this.receivedFrom = from;
    }
    this.receivedUntil = until;
  }

  private isFresh(entry: Entry, now: number) {
    if (now < entry.servedUntil) return true;
    return entry.confirmedAt >= this.receivedFrom && now < this.lastConfirmed(entry) + this.options.ttlMs;
  }

  /** When the entry was last known to match the database. */
  private lastConfirmed({ confirmedAt }: Entry) {
    return confirmedAt >= this.receivedFrom ? Math.max(confirmedAt, this.receivedUntil) : confirmedAt;
  }

  private async read(digest: string, lookup: Lookup): Promise<AuthenticatedKey | null> {
    const queriedAt = this.now();
    try {
      const key = await withDeadline(this.find(digest), lookupDeadlineMs);
      if (!lookup.isOutdated) this.store(digest, key, queriedAt);
      else if (key) this.changed.set(digest, true);
      return key;
    } catch (error) {
      const entry = this.entries.get(digest) ?? this.misses.get(digest);
      const now = this.now();
      const servedUntil = entry ? this.lastConfirmed(entry) + this.options.maxStaleMs : 0;
      if (!entry || now >= servedUntil) throw error;
      // Requests within the next second do not query the failed database again.
      entry.servedUntil = Math.min(now + retryAfterFailureMs, servedUntil);
      return entry.key;
    } finally {
      if (this.lookups.get(digest) === lookup) this.lookups.delete(digest);
    }
  }

  private store(digest: string, key: AuthenticatedKey | null, confirmedAt: number) {
    const entry = { key, confirmedAt, servedUntil: 0 };
    if (key) {
      this.entries.set(digest, entry);
      this.misses.delete(digest);
    } else {
      if (this.entries.delete(digest)) this.changed.set(digest, true);
      this.misses.set(digest, entry);
    }
  }
}
