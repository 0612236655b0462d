import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import { inBackground } from '../background.js';
import { maxCost } from '../limits/limit.js';
import { addLimitHeaders } from '../limits/limit-state.js';
import { type Charge, chargeKey } from './charge-key.js';
import { type CheckOutcome, checkKey, type Outcome, outcomes } from './check-key.js';
import { digestOn } from './connection-digest.js';
import { presentedKey } from './credentials.js';
import { invalidKeysLimited, keyDenied, keyLimited, keyMissing, lookupFailed, quotaExceeded } from './errors.js';
import { InvalidKeyThrottle } from './invalid-key-throttle.js';
import type { AuthenticatedKey } from './key-cache.js';
import { setKeyCheck } from './key-check.js';
import { digestOf } from './key-format.js';
import type { KnownKeys } from './known-keys.js';
import { untilChecked } from './pending-check.js';

/** An `onRequest` hook. */
export type Authenticate = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void;

/** A value, or a function that returns it for a request. */
export type OfRequest<T> = T | ((request: FastifyRequest) => T);

/** What a request requires of its key. */
interface Requirement {
  scope: string | undefined;
  cost: number;
}

/** The result of a verification, and what it was charged. */
export interface Verification {
  code: CheckOutcome | Charge['outcome'];
  /** Null when there is no such key. */
  key: AuthenticatedKey | null;
  states: Charge['states'];
  charges: Charge['charges'];
}

/** Checks keys of requests, and keys in request bodies. */
export function createAuthentication(app: FastifyInstance, known: KnownKeys) {
  const throttle = new InvalidKeyThrottle(app.limits);
  const counts = Object.fromEntries(outcomes.map((outcome) => [outcome, 0])) as Record<Outcome, number>;

  return { counts, requireApiKey, verify, recheckKey, readLimits };

  function requireApiKey(
    scope?: OfRequest<string | undefined>,
    { cost = 1 }: { cost?: OfRequest<number> } = {},
  ): Authenticate {
    if (typeof cost === 'number') assertCost(cost);
    return function authenticate(request, reply, done) {
      const required = { scope: valueFor(request, scope), cost: assertCost(valueFor(request, cost)) };
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
      if (found) authorize(request, reply, found, required, done);
      else if (found === null) denyUnknown(request, digest, done);
      else authenticateUncached(request, reply, digest, required, untilChecked(request, done));
    };
  }

  function authenticateUncached(
    request: FastifyRequest,
    reply: FastifyReply,
    digest: string,
    required: Requirement,
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
          if (key) authorize(request, reply, key, required, done);
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
    { scope, cost }: Requirement,
    done: HookHandlerDoneFunction,
  ) {
    const checked = checkKey(key, scope, addressFor(key, request));
    if (checked !== 'VALID' && checked !== 'INSUFFICIENT_SCOPE') {
      counts[checked]++;
      setKeyCheck(request, key, checked);
      return done(keyDenied(checked));
    }
    app.forbidCaching(reply);
    let finish = done;
    let isCharged = false;
    chargeKey(app.limits, key, checked, cost, ({ outcome, states, charges }) => {
      isCharged = true;
      counts[outcome]++;
      setKeyCheck(request, key, outcome, charges);
      if (outcome === 'RATE_LIMITED') return finish(keyLimited(states));
      if (outcome === 'QUOTA_EXCEEDED') return finish(quotaExceeded(states));
      addLimitHeaders(reply, states);
      if (outcome === 'VALID') finish();
      else finish(keyDenied(outcome, scope));
    });
    // Redis has not answered yet.
    if (!isCharged) finish = untilChecked(request, done);
  }

  async function verify(presented: string, scope?: string, ip?: string, cost = 1): Promise<Verification> {
    const verification = await verificationOf(presented, scope, ip, assertCost(cost));
    counts[verification.code]++;
    return verification;
  }

  async function readLimits(digest: string): Promise<{ key: AuthenticatedKey; states: Charge['states'] } | null> {
    const key = await known.lookup(digest).catch((error) => {
      throw lookupFailed(error);
    });
    if (key === null) return null;
    const { states } = await new Promise<Charge>((resolve) => chargeKey(app.limits, key, 'VALID', 0, resolve));
    return { key, states };
  }

  function recheckKey(request: FastifyRequest, scope?: string): Promise<Error | undefined> {
    // A stream can check its key long after the span of its request has ended.
    return inBackground(() => recheck(request, scope));
  }

  async function recheck(request: FastifyRequest, scope: string | undefined): Promise<Error | undefined> {
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

  async function verificationOf(
    presented: string,
    scope: string | undefined,
    ip: string | undefined,
    cost: number,
  ): Promise<Verification> {
    const key = await read(presented, digestOf(presented)).catch((error) => {
      counts.UNAVAILABLE++;
      throw lookupFailed(error);
    });
    const code = checkKey(key, scope, ip);
    if (key === null || (code !== 'VALID' && code !== 'INSUFFICIENT_SCOPE'))
      return { code, key, states: [], charges: [] };
    const { outcome, states, charges } = await new Promise<Charge>((resolve) =>
      chargeKey(app.limits, key, code, cost, resolve),
    );
    return { code: outcome, key, states, charges };
  }

  async function read(presented: string, digest: string): Promise<AuthenticatedKey | null> {
    const cached = known.peek(presented, digest);
    return cached === undefined ? known.lookup(digest) : cached;
  }
}

/** @throws when a cost, such as that of a function of a route module, is no whole number from 0 to 1,000 */
function assertCost(cost: number): number {
  if (Number.isInteger(cost) && cost >= 0 && cost <= maxCost) return cost;
  throw new Error(`the cost of a request must be a whole number from 0 to ${maxCost}, not ${cost}`);
}

function valueFor<T>(request: FastifyRequest, value: OfRequest<T>): T {
  return typeof value === 'function' ? (value as (request: FastifyRequest) => T)(request) : value;
}

/** The address to check: empty, so that it is denied, when the client has disconnected. Reading it costs time behind a proxy. */
function addressFor({ allowedIps }: AuthenticatedKey, request: FastifyRequest): string | undefined {
  return allowedIps === null ? undefined : (request.ip ?? '');
}
