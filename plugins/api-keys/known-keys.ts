import type { FastifyInstance } from 'fastify';
import { ChangeListener } from './change-listener.js';
import { type CallingKey, KeyCache, type KeyCacheOptions } from './key-cache.js';
import { isWellFormedKey } from './key-format.js';

/** Keys as requests see them: in memory, as fresh as the database lets them be. */
export interface KnownKeys {
  /** How many are in memory. */
  readonly entries: number;
  /** How often a key was found in memory, and how often the database had to be asked. */
  readonly counts: { hits: number; lookups: number };
  /** Up to when every change made elsewhere has been heard of, in milliseconds of the monotonic clock. */
  readonly heardUntil: number;
  /** Whether changes made elsewhere are heard of at once; else they take the time to live. */
  readonly hearsChanges: boolean;
  /**
   * Finds the key that somebody presents.
   *
   * @param digest of what was presented
   * @returns at once where it is in memory; null when there is none
   * @throws what the database threw, as a rejection, when it cannot be asked and the key is not known from before
   */
  find(presented: string, digest: string): CallingKey | null | Promise<CallingKey | null>;
  /** Whether a key that does not exist did, as far as this process has seen. */
  wasKnown(digest: string): boolean;
  /** Forgets what is known of a key that has changed. */
  forget(digest: string): void;
}

const failureWarningEveryMs = 1_000;
const longestBeatMs = 1_000;
const shortestBeatMs = 50;

/**
 * Looks keys up, remembers them, and listens for their changes.
 *
 * @param prefix what every key begins with
 */
export function createKnownKeys(app: FastifyInstance, prefix: string, options: KeyCacheOptions): KnownKeys {
  const cache = new KeyCache(read, options);
  const listener = listen();
  const counts = { hits: 0, lookups: 0 };
  let warnedAt = Number.NEGATIVE_INFINITY;

  return {
    get entries() {
      return cache.size;
    },
    get hearsChanges() {
      return listener?.hears ?? false;
    },
    counts,
    get heardUntil() {
      return cache.heardUntil;
    },
    find(presented, digest) {
      const known = cache.peek(digest);
      if (known !== undefined) {
        counts.hits++;
        return known;
      }
      if (!isWellFormedKey(presented, prefix)) return null;
      counts.lookups++;
      return cache.lookup(digest);
    },
    wasKnown: (digest) => cache.wasKnown(digest),
    forget: (digest) => cache.forget(digest),
  };

  async function read(digest: string): Promise<CallingKey | null> {
    try {
      if (!app.database.isReady) throw new Error('the database has not been ready yet');
      return await app.prisma.apiKey.findUnique({
        where: { key: digest },
        select: {
          id: true,
          name: true,
          start: true,
          scopes: true,
          active: true,
          expiresAt: true,
          rateLimitPerMinute: true,
        },
      });
    } catch (error) {
      warn(error);
      throw error;
    }
  }

  /** Said, but not for each of the requests that meet the same outage. */
  function warn(error: unknown) {
    const now = performance.now();
    if (now - warnedAt < failureWarningEveryMs) return;
    warnedAt = now;
    app.log.warn({ err: error }, 'a key could not be looked up');
  }

  /** Not on the embedded database, which has no other process that could change it. */
  function listen(): ChangeListener | undefined {
    const { createClient, pool, ready } = app.database;
    if (!createClient) return undefined;
    const listener = new ChangeListener({
      createClient,
      pool,
      // A key's time to live begins anew with each heartbeat, so there are some in each.
      beatEveryMs: Math.min(longestBeatMs, Math.max(shortestBeatMs, options.ttlMs / 4)),
      onChange: (digest) => cache.forget(digest),
      onAllChanged: () => cache.forgetAll(),
      onHeard: (from, until) => cache.hearing(from, until),
      onTurn(hears, err) {
        if (hears) app.log.info('changes of keys are heard at once');
        else app.log.warn({ err }, `changes of keys are not heard: they take up to ${options.ttlMs} ms`);
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
