import type { FastifyInstance } from 'fastify';
import { OutageLog, reasonOf } from '../database/outage-log.js';
import type { Limit } from '../limits/limit.js';
import { ChangeListener } from './change-listener.js';
import { watchForeignKeys } from './foreign-keys.js';
import { type AuthenticatedKey, KeyCache, type KeyCacheOptions } from './key-cache.js';
import { isWellFormedKey } from './key-format.js';
import { KeyLookup } from './key-lookup.js';

/** The cache of keys, its lookups, and the notifications that invalidate it. */
export interface KnownKeys {
  /** How many keys are cached. */
  readonly entries: number;
  /** Cache hits, and lookups in the database. */
  readonly counts: { hits: number; lookups: number };
  /** All changes up to this time have been received, in milliseconds of the monotonic clock. */
  readonly changesReceivedUntil: number;
  /** Whether change notifications arrive. Otherwise changes apply after the time to live. */
  readonly receivesChanges: boolean;
  /** Whether no lookup is queued or running. */
  readonly isIdle: boolean;
  /**
   * Reads a key from the cache.
   *
   * @param presented the key as the client sent it
   * @param digest of `presented`
   * @returns null when there is no such key; undefined when a lookup is needed
   */
  peek(presented: string, digest: string): AuthenticatedKey | null | undefined;
  /** Whether the key is cached, fresh or not. */
  has(digest: string): boolean;
  /**
   * Reads a key from the database.
   *
   * @returns null when there is no such key
   * @throws the database's error, when no cached key can be used in its place
   */
  lookup(digest: string): Promise<AuthenticatedKey | null>;
  /** Whether this process had read the key before it was changed or deleted. */
  hasChanged(digest: string): boolean;
  /** Removes a changed key from the cache. */
  invalidate(digest: string): void;
  /** Removes all keys of an owner from the cache. */
  invalidateOwner(ownerId: string): void;
}

const maxHeartbeatMs = 1_000;
const minHeartbeatMs = 50;

/** Creates the cache of keys of this process. @param defaults the limits of keys without limits of their own */
export function createKnownKeys(app: FastifyInstance, options: KeyCacheOptions, defaults: readonly Limit[]): KnownKeys {
  const lookup = new KeyLookup(app.database, app.limits.quotas, defaults);
  const outage = new OutageLog(app.log);
  const cache = new KeyCache(read, options);
  const listener = listen();
  const foreignKeys = watchForeignKeys(app);
  const counts = { hits: 0, lookups: 0 };

  return {
    get entries() {
      return cache.size;
    },
    get receivesChanges() {
      return listener?.isReceiving ?? false;
    },
    get isIdle() {
      return lookup.isIdle;
    },
    counts,
    get changesReceivedUntil() {
      return cache.receivedUntil;
    },
    peek(presented, digest) {
      const known = cache.peek(digest);
      if (known !== undefined) counts.hits++;
      else if (!isWellFormedKey(presented) && !foreignKeys.exist) return null;
      return known;
    },
    has: (digest) => cache.has(digest),
    lookup(digest) {
      counts.lookups++;
      return cache.lookup(digest);
    },
    hasChanged: (digest) => cache.hasChanged(digest),
    invalidate: (digest) => cache.invalidate(digest),
    invalidateOwner: (ownerId) => cache.invalidateOwner(ownerId),
  };

  async function read(digest: string): Promise<AuthenticatedKey | null> {
    try {
      const key = await lookup.find(digest);
      outage.ended('keys can be looked up again');
      return key;
    } catch (error) {
      outage.failed('keys cannot be looked up', error);
      throw error;
    }
  }

  /** The embedded database needs no listener: no other process can change it. */
  function listen(): ChangeListener | undefined {
    const { createClient, keyPool, ready } = app.database;
    if (!createClient) return undefined;
    const listener = new ChangeListener({
      createClient,
      pool: keyPool,
      // Each heartbeat confirms the cached keys, so several fit into a time to live.
      heartbeatIntervalMs: Math.min(maxHeartbeatMs, Math.max(minHeartbeatMs, options.ttlMs / 4)),
      onChange: (digest) => cache.invalidate(digest),
      onOwnerChanged: (ownerId) => cache.invalidateOwner(ownerId),
      onAllChanged: () => cache.invalidateAll(),
      onHeartbeat: (from, until) => cache.markReceived(from, until),
      onClock: (databaseMs, queriedAt, respondedAt) => app.database.recordClock(databaseMs, queriedAt, respondedAt),
      onStateChange(isReceiving, error) {
        if (isReceiving) app.log.info('change notifications: connected, changes of keys apply at once');
        else
          app.log.warn(
            { reason: reasonOf(error) },
            `change notifications: not connected, changes of keys take up to ${options.ttlMs} ms`,
          );
      },
    });
    ready.then(
      () => listener.start(),
      () => {},
    );
    app.addHook('onClose', () => listener.stop());
    return listener;
  }
}
