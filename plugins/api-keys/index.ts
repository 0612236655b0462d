import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Limit } from '../limits/limit.js';
import type { LimitState } from '../limits/limit-state.js';
import { type Authenticate, createAuthentication, type OfRequest, type Verification } from './authentication.js';
import type { Outcome } from './check-key.js';
import { keyNotFound } from './errors.js';
import type { AuthenticatedKey, KeyCacheOptions } from './key-cache.js';
import { authenticatedKeyOf } from './key-check.js';
import { createKnownKeys, type KnownKeys } from './known-keys.js';
import { type ApiKeyStore, createApiKeyStore } from './store.js';

export type { Verification } from './authentication.js';
export type { AuthenticatedKey } from './key-cache.js';
export { adminScope, keysRead, keysWrite, logsRead, verifyScope } from './scopes.js';

declare module 'fastify' {
  interface FastifyInstance {
    apiKeys: ApiKeys;
    /**
     * Creates an `onRequest` hook that denies requests without a valid key, and requests over a limit or quota of their key.
     *
     * @param scope the required scope, or a function that returns it; undefined: none
     * @param options.cost how many requests this one counts for in limits and quotas, 0 to 1,000; 1 by default
     */
    requireApiKey(scope?: OfRequest<string | undefined>, options?: { cost?: OfRequest<number> }): Authenticate;
  }
  interface FastifyRequest {
    /** The key of the request. Throws on a route without `requireApiKey`. */
    readonly apiKey: AuthenticatedKey;
  }
}

/** The keys in the database. Changes through this store apply to this process at once. */
export interface ApiKeys extends ApiKeyStore {
  readonly cache: Pick<KnownKeys, 'entries' | 'counts' | 'receivesChanges' | 'changesReceivedUntil'>;
  /** How many checks had each outcome since the start. */
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /**
   * Checks a key, and charges the check to its limits and quotas. To count for its usage and in the database, the verification and
   * the charges must be logged with a request, by `requestLog.overrideLogged`.
   *
   * @param ip the address of the client in canonical form; without it, `allowedIps` of the key is not checked
   * @param cost 0 to 1,000, 1 by default; 0 asks without charging
   */
  verify(key: string, scope?: string, ip?: string, cost?: number): Promise<Verification>;
  /**
   * The key with this id and the current states of its limits, and of those of its owner. Counts for none of them.
   *
   * @throws keyNotFound
   */
  readLimits(id: string): Promise<{ key: AuthenticatedKey; states: readonly LimitState[] }>;
  /**
   * Checks the key of an authenticated request again, for long responses. Does not count for its rate limit.
   *
   * @returns undefined while the key is valid, otherwise the error that a new request would get
   */
  recheckKey(request: FastifyRequest, scope?: string): Promise<Error | undefined>;
}

export interface ApiKeysOptions {
  /** The prefix of new keys. */
  prefix: string;
  cache: KeyCacheOptions;
  /** The limits of keys without limits of their own. */
  defaultLimits: readonly Limit[];
}

/** API keys: `app.apiKeys` stores and verifies them, `app.requireApiKey` protects routes. */
export default fp<ApiKeysOptions>(
  async (app, { prefix, cache, defaultLimits }) => {
    const known = createKnownKeys(app, cache, defaultLimits);
    const { counts, requireApiKey, verify, recheckKey, readLimits } = createAuthentication(app, known);
    const store = createApiKeyStore(app.prisma, app.database, prefix, known.invalidate, known.invalidateOwner);

    app.decorate('apiKeys', {
      ...store,
      cache: known,
      outcomes: counts,
      verify,
      recheckKey,
      async readLimits(id) {
        const found = await readLimits(await store.digestById(id));
        if (found === null) throw keyNotFound();
        return found;
      },
    });
    app.decorate('requireApiKey', requireApiKey);
    app.decorateRequest('apiKey', {
      getter(this: FastifyRequest) {
        const key = authenticatedKeyOf(this);
        if (!key) throw new Error('request.apiKey was read on a route without requireApiKey');
        return key;
      },
    });
  },
  { name: 'api-keys', dependencies: ['security-headers', 'database', 'prisma', 'limits'] },
);
