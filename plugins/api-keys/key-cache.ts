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
}

/** Reads a key from the database by its digest; null when there is none. */
export type FindKey = (digest: string) => Promise<CallingKey | null>;

export interface KeyCacheOptions {
  /** How long an answer is used without asking again, in milliseconds. */
  ttlMs: number;
  /** How long a known key is served while the database does not answer, in milliseconds since it last did. */
  maxStaleMs: number;
}

interface Entry {
  key: CallingKey;
  readAt: number;
  freshUntil: number;
}

interface Lookup {
  /** The key changed after the question was asked, so the answer may not be kept. */
  overtaken: boolean;
  answer: Promise<CallingKey | null>;
}

const maxKeys = 50_000;
const maxMisses = 10_000;
const missTtlMs = 1_000;
const lookupDeadlineMs = 2_000;
const retryAfterFailureMs = 1_000;

/**
 * Keys by digest, in front of the database. A hit is synchronous; of many requests that miss the same key one asks.
 */
export class KeyCache {
  private readonly find: FindKey;
  private readonly options: KeyCacheOptions;
  private readonly entries = new LRUCache<string, Entry>({ max: maxKeys });
  // Apart from the keys, so that guessing cannot push them out.
  private readonly misses = new LRUCache<string, true>({ max: maxMisses, ttl: missTtlMs });
  private readonly lookups = new Map<string, Lookup>();

  constructor(find: FindKey, options: KeyCacheOptions) {
    this.find = find;
    this.options = options;
  }

  /** How many keys it holds. */
  get size(): number {
    return this.entries.size;
  }

  /** The key if it is known and fresh; null if it is known not to exist; undefined when the database must be asked. */
  peek(digest: string): CallingKey | null | undefined {
    const entry = this.entries.get(digest);
    if (entry && Date.now() < entry.freshUntil) return entry.key;
    return this.misses.has(digest) ? null : undefined;
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
    this.entries.delete(digest);
    this.misses.delete(digest);
    const lookup = this.lookups.get(digest);
    if (lookup) lookup.overtaken = true;
    this.lookups.delete(digest);
  }

  private async read(digest: string, lookup: Lookup): Promise<CallingKey | null> {
    const askedAt = Date.now();
    try {
      const key = await withDeadline(this.find(digest), lookupDeadlineMs);
      if (!lookup.overtaken) this.keep(digest, key, askedAt);
      return key;
    } catch (error) {
      const entry = this.entries.get(digest);
      const servedUntil = entry ? entry.readAt + this.options.maxStaleMs : 0;
      if (!entry || Date.now() >= servedUntil) throw error;
      // The next request within a second need not find out again that the database is away.
      entry.freshUntil = Math.min(Date.now() + retryAfterFailureMs, servedUntil);
      return entry.key;
    } finally {
      if (this.lookups.get(digest) === lookup) this.lookups.delete(digest);
    }
  }

  private keep(digest: string, key: CallingKey | null, readAt: number) {
    if (key) {
      this.entries.set(digest, { key, readAt, freshUntil: readAt + this.options.ttlMs });
    } else {
      this.entries.delete(digest);
      this.misses.set(digest, true);
    }
  }
}
