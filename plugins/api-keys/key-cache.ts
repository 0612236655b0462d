import { LRUCache } from 'lru-cache';
import { withDeadline } from '../database/deadline.js';

/** What a request needs to know of its key. */
export interface CallingKey {
  id: string;
  name: string;
  /** The key's first characters. */
  start: string;
  scopes: readonly string[];
  active: boolean;
  /** Null: never. */
  expiresAt: Date | null;
  /** Null: the service's default. */
  rateLimitPerMinute: number | null;
}

/** Reads a key from the database by its digest; null when there is none. */
export type FindKey = (digest: string) => Promise<CallingKey | null>;

export interface KeyCacheOptions {
  /** How long an answer is used without asking again, in milliseconds since it was last known to be true. */
  ttlMs: number;
  /** How long it is used while the database does not answer, in milliseconds since it was last known to be true. */
  maxStaleMs: number;
  /** How many keys it holds; those used longest ago go first. */
  maxEntries: number;
}

interface Entry {
  key: CallingKey | null;
  /** When the database said so. All times here are of the monotonic clock. */
  trueAt: number;
  /** The database is away, and is not asked again before. */
  servedUntil: number;
}

interface Lookup {
  /** The key changed after the question was asked, so the answer may not be kept. */
  overtaken: boolean;
  answer: Promise<CallingKey | null>;
}

const maxMisses = 10_000;
const missTtlMs = 1_000;
const lookupDeadlineMs = 2_000;
const retryAfterFailureMs = 1_000;

/**
 * Keys by digest, in front of the database. A hit is synchronous; of many requests that miss the same key one asks.
 *
 * An answer is true when it is read, and goes on being true for as long as every change is heard of: `hearing` says how
 * long that has been so. From then on it lives by its time to live, so silence alone can never keep a revoked key alive.
 */
export class KeyCache {
  private readonly find: FindKey;
  private readonly options: KeyCacheOptions;
  private readonly now: () => number;
  private readonly entries: LRUCache<string, Entry>;
  // Apart from the keys, so that guessing cannot push them out.
  private readonly misses = new LRUCache<string, Entry>({ max: maxMisses });
  // Digests of keys that were there. If one is there no more, whoever presents it is late, and does not guess.
  private readonly changed = new LRUCache<string, true>({ max: maxMisses });
  private readonly lookups = new Map<string, Lookup>();
  private heardFrom = Number.NEGATIVE_INFINITY;
  /** Up to when every change has been heard of. */
  heardUntil = Number.NEGATIVE_INFINITY;

  /** @param now a clock that never goes back, in milliseconds */
  constructor(find: FindKey, options: KeyCacheOptions, now = () => performance.now()) {
    this.find = find;
    this.options = options;
    this.now = now;
    this.entries = new LRUCache({ max: options.maxEntries });
  }

  /** How many keys it holds. */
  get size(): number {
    return this.entries.size;
  }

  /** The key if it is known and fresh; null if it is known not to exist; undefined when the database must be asked. */
  peek(digest: string): CallingKey | null | undefined {
    const now = this.now();
    const entry = this.entries.get(digest);
    if (entry && this.isFresh(entry, now)) return entry.key;
    const miss = this.misses.get(digest);
    return miss && now < Math.max(miss.trueAt + missTtlMs, miss.servedUntil) ? null : undefined;
  }

  /** Whether a key that does not exist did, as far as this process has seen. */
  wasKnown(digest: string): boolean {
    return this.changed.has(digest);
  }

  /**
   * Asks the database, once for all who ask for the same key at the same time.
   *
   * @returns null when there is no such key
   * @throws whatever the database threw, when the key is not known from before either
   */
  lookup(digest: string): Promise<CallingKey | null> {
    let lookup = this.lookups.get(digest);
    if (!lookup) {
      lookup = { overtaken: false, answer: Promise.resolve(null) };
      lookup.answer = this.read(digest, lookup);
      this.lookups.set(digest, lookup);
    }
    return lookup.answer;
  }

  /** Forgets what is known of a key that has changed. A lookup that began before the change does not fill the cache. */
  forget(digest: string): void {
    if (this.entries.delete(digest)) this.changed.set(digest, true);
    this.misses.delete(digest);
    const lookup = this.lookups.get(digest);
    if (lookup) lookup.overtaken = true;
    this.lookups.delete(digest);
  }

  /** Forgets everything, when it is not known which keys have changed. */
  forgetAll(): void {
    for (const digest of [...this.entries.keys(), ...this.misses.keys(), ...this.lookups.keys()]) this.forget(digest);
  }

  /**
   * Says that every change from one moment to another has been heard of, and told to `forget`.
   *
   * @param from what was read before is read again; a new `from` means that changes were missed
   * @param until usually a moment ago
   */
  hearing(from: number, until: number): void {
    if (from !== this.heardFrom) {
      for (const entry of this.entries.values()) entry.trueAt = this.lastTrue(entry);
      this.heardFrom = from;
    }
    this.heardUntil = until;
  }

  private isFresh(entry: Entry, now: number) {
    if (now < entry.servedUntil) return true;
    return entry.trueAt >= this.heardFrom && now < this.lastTrue(entry) + this.options.ttlMs;
  }

  /** When it was last known to be true. */
  private lastTrue({ trueAt }: Entry) {
    return trueAt >= this.heardFrom ? Math.max(trueAt, this.heardUntil) : trueAt;
  }

  private async read(digest: string, lookup: Lookup): Promise<CallingKey | null> {
    const askedAt = this.now();
    try {
      const key = await withDeadline(this.find(digest), lookupDeadlineMs);
      if (!lookup.overtaken) this.keep(digest, key, askedAt);
      else if (key) this.changed.set(digest, true);
      return key;
    } catch (error) {
      const entry = this.entries.get(digest) ?? this.misses.get(digest);
      const now = this.now();
      const servedUntil = entry ? this.lastTrue(entry) + this.options.maxStaleMs : 0;
      if (!entry || now >= servedUntil) throw error;
      // The next request within a second need not find out again that the database is away.
      entry.servedUntil = Math.min(now + retryAfterFailureMs, servedUntil);
      return entry.key;
    } finally {
      if (this.lookups.get(digest) === lookup) this.lookups.delete(digest);
    }
  }

  private keep(digest: string, key: CallingKey | null, trueAt: number) {
    const entry = { key, trueAt, servedUntil: 0 };
    if (key) {
      this.entries.set(digest, entry);
      this.misses.delete(digest);
    } else {
      if (this.entries.delete(digest)) this.changed.set(digest, true);
      this.misses.set(digest, entry);
    }
  }
}
