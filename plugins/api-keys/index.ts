import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import fp from 'fastify-plugin';
import { presentedKey } from './credentials.js';
import { keyDisabled, keyExpired, keyMissing, keyUnknown, lookupFailed, scopeMissing } from './errors.js';
import { type CallingKey, KeyCache, type KeyCacheOptions } from './key-cache.js';
import { digestOf, isWellFormedKey } from './key-format.js';
import { type ApiKeyStore, createApiKeyStore } from './store.js';

export type { CallingKey } from './key-cache.js';

/** The scope that opens everything. */
export const adminScope = 'admin';

type Authenticate = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void;

declare module 'fastify' {
  interface FastifyInstance {
    /** The keys in the database; changes made here apply to this process at once. */
    apiKeys: ApiKeyStore & { readonly cached: number };
    /**
     * Makes an `onRequest` hook that lets only requests with a valid key in.
     *
     * @param scope what the key must be allowed to do; without it any valid key will do
     */
    requireApiKey(scope?: string): Authenticate;
  }
  interface FastifyRequest {
    /** The key that the request came with. Throws on a route that does not attach `requireApiKey`. */
    readonly apiKey: CallingKey;
  }
}

export interface ApiKeysOptions {
  /** What every key begins with. */
  prefix: string;
  /** @see KeyCacheOptions.ttlMs */
  cacheTtlMs: KeyCacheOptions['ttlMs'];
  /** @see KeyCacheOptions.maxStaleMs */
  cacheMaxStaleMs: KeyCacheOptions['maxStaleMs'];
}

const failureWarningEveryMs = 1_000;

const callingKey = Symbol('calling key');
type Authenticated = FastifyRequest & { [callingKey]?: CallingKey };

/** The id of the key that a request came with; null where it came with none or with one that is not valid. */
export function callingKeyId(request: FastifyRequest): string | null {
  return (request as Authenticated)[callingKey]?.id ?? null;
}

/** API keys: `app.apiKeys` keeps them, `app.requireApiKey` asks for one. */
export default fp<ApiKeysOptions>(
  async (app, { prefix, cacheTtlMs, cacheMaxStaleMs }) => {
    const cache = new KeyCache(findKey, { ttlMs: cacheTtlMs, maxStaleMs: cacheMaxStaleMs });
    const store = createApiKeyStore(app.prisma, prefix, (digest) => cache.forget(digest));

    app.decorate('apiKeys', {
      ...store,
      get cached() {
        return cache.size;
      },
    });
    app.decorate('requireApiKey', requireApiKey);
    app.decorateRequest('apiKey', {
      getter(this: Authenticated) {
        const key = this[callingKey];
        if (!key) throw new Error('request.apiKey is read on a route that does not attach requireApiKey');
        return key;
      },
    });

    function requireApiKey(scope?: string): Authenticate {
      return function authenticate(request, _reply, done) {
        let presented: string | null;
        try {
          presented = presentedKey(request.headers);
        } catch (error) {
          return done(error as Error);
        }
        if (presented === null) return done(keyMissing());
        const digest = digestOf(presented);
        const known = cache.peek(digest);
        if (known) return done(admit(request, known, scope));
        if (known === null || !isWellFormedKey(presented, prefix)) return done(keyUnknown());
        cache.lookup(digest).then(
          (key) => done(key ? admit(request, key, scope) : keyUnknown()),
          (error) => {
            warnOfFailure(error);
            done(lookupFailed(error));
          },
        );
      };
    }

    // Said, but not for each of the requests that meet the same outage.
    let warnedAt = 0;
    function warnOfFailure(error: unknown) {
      if (Date.now() - warnedAt < failureWarningEveryMs) return;
      warnedAt = Date.now();
      app.log.warn({ err: error }, 'a key could not be looked up');
    }

    async function findKey(digest: string): Promise<CallingKey | null> {
      if (!app.database.isReady) throw new Error('the database has not been ready yet');
      return app.prisma.apiKey.findUnique({
        where: { key: digest },
        select: { id: true, name: true, start: true, scopes: true, active: true, expiresAt: true },
      });
    }
  },
  { name: 'api-keys', dependencies: ['database', 'prisma', 'problem-details'] },
);

/** @returns why the key does not open this, if it does not */
function admit(request: FastifyRequest, key: CallingKey, scope: string | undefined) {
  if (!key.active) return keyDisabled();
  if (key.expiresAt && key.expiresAt.getTime() <= Date.now()) return keyExpired();
  (request as Authenticated)[callingKey] = key;
  if (scope !== undefined && !key.scopes.includes(scope) && !key.scopes.includes(adminScope))
    return scopeMissing(scope);
  return undefined;
}
