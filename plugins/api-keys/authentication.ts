import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import type { RateLimitTarget } from '../limits/counter.js';
import { addRateLimitHeaders, type RateLimitState } from '../limits/rate-limit-state.js';
import { type CheckOutcome, checkKey, type Outcome, outcomes } from './check-key.js';
import { digestOn } from './connection-digest.js';
import { presentedKey } from './credentials.js';
import { invalidKeysLimited, keyDenied, keyLimited, keyMissing, lookupFailed } from './errors.js';
import { InvalidKeyThrottle } from './invalid-key-throttle.js';
import type { AuthenticatedKey } from './key-cache.js';
import { setKeyCheck } from './key-check.js';
import { digestOf } from './key-format.js';
import type { KnownKeys } from './known-keys.js';
import { untilChecked } from './pending-check.js';

/** An `onRequest` hook. */
export type Authenticate = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void;

/** The result of a verification. */
export interface Verification {
  code: CheckOutcome | 'RATE_LIMITED';
  /** Null when there is no such key. */
  key: AuthenticatedKey | null;
}

/**
 * Checks keys of requests, and keys in request bodies.
 *
 * @param ratePerMinute the default rate limit, in requests a minute; undefined: none
 */
export function createAuthentication(app: FastifyInstance, known: KnownKeys, ratePerMinute: number | undefined) {
  const throttle = new InvalidKeyThrottle(app.limits);
  const counts = Object.fromEntries(outcomes.map((outcome) => [outcome, 0])) as Record<Outcome, number>;

  return { counts, requireApiKey, verify, recheckKey };

  function requireApiKey(required?: string | ((request: FastifyRequest) => string | undefined)): Authenticate {
    return function authenticate(request, reply, done) {
      const scope = typeof required === 'function' ? required(request) : required;
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
      const found = known.peek(presented, digest);
      if (found) authorize(request, reply, found, scope, done);
      else if (found === null) denyUnknown(request, digest, done);
      else authenticateUncached(request, reply, digest, scope, untilChecked(request, done));
    };
  }

  function authenticateUncached(
    request: FastifyRequest,
    reply: FastifyReply,
    digest: string,
    scope: string | undefined,
    done: HookHandlerDoneFunction,
  ) {
    const { ip } = request;
    // Cached keys, and keys that changed after they were cached, are not guesses, so they are not throttled.
    const limited = known.has(digest) || known.hasChanged(digest) ? undefined : throttle.check(ip, known.isIdle);
    if (limited) {
      counts.NOT_FOUND++;
      return done(invalidKeysLimited(limited));
    }
    known
      .lookup(digest)
      .then(
        (key) => {
          throttle.clearFailedLookups();
          if (key) authorize(request, reply, key, scope, done);
          else denyUnknown(request, digest, done);
        },
        (error) => {
          counts.UNAVAILABLE++;
          throttle.countFailedLookup(ip);
          done(lookupFailed(error));
        },
      )
      .catch(done);
  }

  function denyUnknown(request: FastifyRequest, digest: string, done: HookHandlerDoneFunction) {
    counts.NOT_FOUND++;
    // A revoked key is not a guess.
    if (known.hasChanged(digest)) return done(keyDenied('NOT_FOUND'));
    throttle.countInvalid(request.ip, (state) =>
      done(state.isExceeded ? invalidKeysLimited(state) : keyDenied('NOT_FOUND')),
    );
  }

  function authorize(
    request: FastifyRequest,
    reply: FastifyReply,
    key: AuthenticatedKey,
    scope: string | undefined,
    done: HookHandlerDoneFunction,
  ) {
    const outcome = checkKey(key, scope, addressFor(key, request));
    if (outcome !== 'VALID' && outcome !== 'INSUFFICIENT_SCOPE') {
      counts[outcome]++;
      setKeyCheck(request, key, outcome);
      return done(keyDenied(outcome));
    }
    app.forbidCaching(reply);
    let finish = done;
    let isCounted = false;
    const limit = limitOf(key);
    if (limit === undefined) return settle();
    app.limits.count(limit, (state) => {
      isCounted = true;
      if (!state.isExceeded) {
        addRateLimitHeaders(reply, state);
        return settle();
      }
      counts.RATE_LIMITED++;
      setKeyCheck(request, key, 'RATE_LIMITED');
      finish(keyLimited(state));
    });
    // Redis has not answered yet.
    if (!isCounted) finish = untilChecked(request, done);

    function settle() {
      counts[outcome]++;
      setKeyCheck(request, key, outcome);
      if (outcome === 'VALID') finish();
      else finish(keyDenied(outcome, scope));
    }
  }

  async function verify(presented: string, scope?: string, ip?: string): Promise<Verification> {
    const verification = await verificationOf(presented, scope, ip);
    counts[verification.code]++;
    return verification;
  }

  async function recheckKey(request: FastifyRequest, scope?: string): Promise<Error | undefined> {
    const { headers, raw } = request;
    const presented = presentedKey(headers);
    if (presented === null) return keyMissing();
    try {
      const key = await read(presented, digestOn(raw.socket, presented));
      const outcome = checkKey(key, scope, key ? addressFor(key, request) : undefined);
      return outcome === 'VALID' ? undefined : keyDenied(outcome, scope);
    } catch (error) {
      return lookupFailed(error);
    }
  }

  async function verificationOf(presented: string, scope?: string, ip?: string): Promise<Verification> {
    const key = await read(presented, digestOf(presented)).catch((error) => {
      counts.UNAVAILABLE++;
      throw lookupFailed(error);
    });
    const code = checkKey(key, scope, ip);
    if (key === null || (code !== 'VALID' && code !== 'INSUFFICIENT_SCOPE')) return { code, key };
    const limit = limitOf(key);
    if (limit === undefined) return { code, key };
    const state = await new Promise<RateLimitState>((resolve) => app.limits.count(limit, resolve));
    return { code: state.isExceeded ? 'RATE_LIMITED' : code, key };
  }

  async function read(presented: string, digest: string): Promise<AuthenticatedKey | null> {
    const cached = known.peek(presented, digest);
    return cached === undefined ? known.lookup(digest) : cached;
  }

  function limitOf({ id, rateLimitPerMinute }: AuthenticatedKey): RateLimitTarget | undefined {
    const limit = rateLimitPerMinute ?? ratePerMinute;
    return limit === undefined ? undefined : { kind: 'key', id, limit };
  }
}

/** The address to check: empty, so that it is denied, when the client has disconnected. Reading it costs time behind a proxy. */
function addressFor({ allowedIps }: AuthenticatedKey, request: FastifyRequest): string | undefined {
  return allowedIps === null ? undefined : (request.ip ?? '');
}
