import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import fp from 'fastify-plugin';
import type { Subject } from '../limits/counter.js';
import { addLimitFields, type Standing } from '../limits/standing.js';
import { digestOn } from './connection-digest.js';
import { presentedKey } from './credentials.js';
import { keyLimited, keyMissing, lookupFailed, refusalOf } from './errors.js';
import { refuseGuess } from './guesses.js';
import type { CallingKey, KeyCacheOptions } from './key-cache.js';
import { digestOf } from './key-format.js';
import { createKnownKeys, type KnownKeys } from './known-keys.js';
import { type ApiKeyStore, createApiKeyStore } from './store.js';
import { judge, type Outcome, outcomes, type Verdict } from './verdict.js';

export type { CallingKey } from './key-cache.js';
export { adminScope } from './store.js';

type Authenticate = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void;

declare module 'fastify' {
  interface FastifyInstance {
    /** The keys in the database; changes made here apply to this process at once. */
    apiKeys: ApiKeyStore & {
      readonly cache: Pick<KnownKeys, 'entries' | 'counts' | 'hearsChanges' | 'heardUntil'>;
      /** How often which key was judged how, since the start. */
      readonly outcomes: Readonly<Record<Outcome, number>>;
      /** Judges a key, and counts that as a use of it. */
      verify(key: string, scope?: string): Promise<Verification>;
      /** Whether the key of a request that was let in would be let in now. For answers that take long; not a use of it. */
      stillAllows(request: FastifyRequest, scope?: string): Promise<boolean>;
    };
    /**
     * Makes an `onRequest` hook that lets only requests with a valid key in, as many a minute as the key may make.
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

/** What became of a key that was asked about. */
export interface Verification {
  code: Verdict | 'RATE_LIMITED';
  /** Null when there is none. */
  key: CallingKey | null;
}

export interface ApiKeysOptions {
  /** What every key begins with. */
  prefix: string;
  cache: KeyCacheOptions;
  /** What a key may do that has no limit of its own, in requests a minute; undefined: what it likes. */
  ratePerMinute?: number | undefined;
}

const callingKey = Symbol('calling key');
type Authenticated = FastifyRequest & { [callingKey]?: CallingKey };

/** The id of the key that a request came with; null where it came with none or with one that is not valid. */
export function callingKeyId(request: FastifyRequest): string | null {
  return (request as Authenticated)[callingKey]?.id ?? null;
}

/** API keys: `app.apiKeys` keeps them, `app.requireApiKey` asks for one. */
export default fp<ApiKeysOptions>(
  async (app, { prefix, cache, ratePerMinute }) => {
    const known = createKnownKeys(app, prefix, cache);
    const counts = Object.fromEntries(outcomes.map((outcome) => [outcome, 0])) as Record<Outcome, number>;

    app.decorate('apiKeys', {
      ...createApiKeyStore(app.prisma, prefix, known.forget),
      cache: known,
      outcomes: counts,
      verify,
      stillAllows,
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
      return function authenticate(request, reply, done) {
        let presented: string | null;
        try {
          presented = presentedKey(request.headers);
        } catch (error) {
          return done(error as Error);
        }
        if (presented === null) {
          counts.MISSING++;
          return done(keyMissing());
        }
        const digest = digestOn(request.raw.socket, presented);
        const found = known.find(presented, digest);
        if (!(found instanceof Promise)) return answer(found);
        found
          .then(answer, (error) => {
            counts.UNAVAILABLE++;
            done(lookupFailed(error));
          })
          .catch(done);

        function answer(key: CallingKey | null) {
          if (key) return admit(request, reply, key, scope, done);
          counts.NOT_FOUND++;
          if (known.wasKnown(digest)) done(refusalOf('NOT_FOUND'));
          else refuseGuess(app.limits, request.ip, done);
        }
      };
    }

    function admit(
      request: FastifyRequest,
      reply: FastifyReply,
      key: CallingKey,
      scope: string | undefined,
      done: HookHandlerDoneFunction,
    ) {
      const verdict = judge(key, scope);
      if (verdict === 'VALID' || verdict === 'INSUFFICIENT_SCOPE') (request as Authenticated)[callingKey] = key;
      if (verdict !== 'VALID') {
        counts[verdict]++;
        return done(refusalOf(verdict, scope));
      }
      const limit = limitOf(key);
      if (limit === undefined) {
        counts.VALID++;
        return done();
      }
      app.limits.count(limit, (standing) => {
        counts[standing.exceeded ? 'RATE_LIMITED' : 'VALID']++;
        if (standing.exceeded) return done(keyLimited(standing));
        addLimitFields(reply, standing);
        done();
      });
    }

    async function verify(presented: string, scope?: string): Promise<Verification> {
      const verification = await verificationOf(presented, scope);
      counts[verification.code]++;
      return verification;
    }

    async function stillAllows({ headers, raw }: FastifyRequest, scope?: string): Promise<boolean> {
      const presented = presentedKey(headers);
      if (presented === null) return false;
      const key = await Promise.resolve(known.find(presented, digestOn(raw.socket, presented))).catch(() => null);
      return judge(key, scope) === 'VALID';
    }

    async function verificationOf(presented: string, scope?: string): Promise<Verification> {
      let key: CallingKey | null;
      try {
        key = await known.find(presented, digestOf(presented));
      } catch (error) {
        counts.UNAVAILABLE++;
        throw lookupFailed(error);
      }
      const code = judge(key, scope);
      if (key === null || code !== 'VALID') return { code, key };
      const limit = limitOf(key);
      if (limit === undefined) return { code, key };
      const standing = await new Promise<Standing>((resolve) => app.limits.count(limit, resolve));
      return { code: standing.exceeded ? 'RATE_LIMITED' : 'VALID', key };
    }

    /** What is counted of a key, and up to what; undefined: nothing. */
    function limitOf({ id, rateLimitPerMinute }: CallingKey): Subject | undefined {
      const limit = rateLimitPerMinute ?? ratePerMinute;
      return limit === undefined ? undefined : { kind: 'key', id, limit };
    }
  },
  { name: 'api-keys', dependencies: ['database', 'prisma', 'limits'] },
);
