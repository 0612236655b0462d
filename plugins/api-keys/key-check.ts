import type { FastifyRequest } from 'fastify';
import type { QuotaCharge } from '../limits/quota-counter.js';
import type { Outcome } from './check-key.js';
import type { AuthenticatedKey } from './key-cache.js';

/** The check of the key of a request. */
export interface KeyCheck {
  key: AuthenticatedKey;
  outcome: Outcome;
  /** What the request has used of quotas. */
  charges: readonly QuotaCharge[];
}

const keyCheck = Symbol('key check');
const valid = Symbol('valid key check');
const noCharges: readonly QuotaCharge[] = [];
type CheckedRequest = FastifyRequest & { [keyCheck]?: KeyCheck };
type CachedKey = AuthenticatedKey & { [valid]?: KeyCheck };

/** Records the check of a key that exists. Charges of an earlier check of the same request stay. */
export function setKeyCheck(
  request: FastifyRequest,
  key: AuthenticatedKey,
  outcome: Outcome,
  charges: readonly QuotaCharge[] = noCharges,
): void {
  const checked = request as CheckedRequest;
  const earlier = checked[keyCheck]?.charges ?? noCharges;
  const isShared = outcome === 'VALID' && charges.length + earlier.length === 0;
  checked[keyCheck] = isShared ? validCheckOf(key) : { key, outcome, charges: concat(earlier, charges) };
}

function concat(earlier: readonly QuotaCharge[], charges: readonly QuotaCharge[]) {
  return earlier.length === 0 ? charges : [...earlier, ...charges];
}

/** The check of the key of a request; undefined without a key that exists. */
export function keyCheckOf(request: FastifyRequest): KeyCheck | undefined {
  return (request as CheckedRequest)[keyCheck];
}

/** The key that a request was authenticated with: it works, although it may lack the scope or be over a limit. */
export function authenticatedKeyOf(request: FastifyRequest): AuthenticatedKey | undefined {
  const checked = keyCheckOf(request);
  return checked && isUse(checked.outcome) ? checked.key : undefined;
}

const usingOutcomes = new Set(['VALID', 'INSUFFICIENT_SCOPE', 'RATE_LIMITED', 'QUOTA_EXCEEDED']);

/** Whether a check with this outcome is a use of the key: not when it is disabled, has expired, or is not for this address. */
export function isUse(outcome: string): boolean {
  return usingOutcomes.has(outcome);
}

/** The same object for all requests with a cached key, because each request would allocate another. */
function validCheckOf(key: CachedKey): KeyCheck {
  key[valid] ??= { key, outcome: 'VALID', charges: noCharges };
  return key[valid];
}
