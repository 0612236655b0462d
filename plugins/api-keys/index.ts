import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { type Authenticate, createAuthentication, type Verification } from './authentication.js';
import type { Outcome } from './check-key.js';
import type { AuthenticatedKey, KeyCacheOptions } from './key-cache.js';
import { authenticatedKeyOf } from './key-check.js';
import { createKnownKeys, type KnownKeys } from './known-keys.js';
import { type ApiKeyStore, createApiKeyStore } from './store.js';

export type { Verification } from './authentication.js';
export type { AuthenticatedKey } from './key-cache.js';
export { adminScope, keysRead, keysWrite, logsRead, verifyScope } from './scopes.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** The keys in the database. Changes through this store apply to this process at once. */
    apiKeys: ApiKeyStore & {
      readonly cache: Pick<KnownKeys, 'entries' | 'counts' | 'receivesChanges' | 'changesReceivedUntil'>;
      /** How many checks had each outcome since the start. */
      readonly outcomes: Readonly<Record<Outcome, number>>;
      /**
       * Checks a key, and counts the check for its rate limit.
       *
       * @param ip the address of the client in canonical form; without it, `allowedIps` of the key is not checked
       */
      verify(key: string, scope?: string, ip?: string): Promise<Verification>;
      /**
       * Checks the key of an authenticated request again, for long responses. Does not count for its rate limit.
       *
       * @returns undefined while the key is valid, otherwise the error that a new request would get
       */
      recheckKey(request: FastifyRequest, scope?: string): Promise<Error | undefined>;
    };
    /**
     * Creates an `onRequest` hook that denies requests without a valid key, and requests over the rate limit of their key.
     *
     * @param scope the required scope, or a function that returns it; undefined: none
     */
    requireApiKey(scope?: string | ((request: FastifyRequest) => string | undefined)): Authenticate;
  }
  interface FastifyRequest {
    /** The key of the request. Throws on a route without `requireApiKey`. */
    readonly apiKey: AuthenticatedKey;
  }
}

export interface ApiKeysOptions {
  /** The prefix of new keys. */
  prefix: string;
  cache: KeyCacheOptions;
  /** The default rate limit, in requests a minute; undefined: none. */
  ratePerMinute?: number | undefined;
}

/** API keys: `app.apiKeys` stores and verifies them, `app.requireApiKey` protects routes. */
export default fp<ApiKeysOptions>(
  async (app, { prefix, cache, ratePerMinute }) => {
    const known = createKnownKeys(app, cache);
    const { counts, requireApiKey, verify, recheckKey } = createAuthentication(app, known, ratePerMinute);

    app.decorate('apiKeys', {
      ...createApiKeyStore(app.prisma, app.database, prefix, known.invalidate),
      cache: known,
      outcomes: counts,
      verify,
      recheckKey,
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
  { name: 'api-keys', dependencies: ['database', 'prisma', 'limits'], decorators: { fastify: ['forbidCaching'] } },
);
