import type { FastifyRequest } from 'fastify';
import type { AuthenticatedKey } from './key-cache.js';
import type { Outcome } from './verdict.js';

/** The check of the key of a request. */
export interface Judgement {
  key: AuthenticatedKey;
  outcome: Outcome;
}

const judgement = Symbol('judgement');
const valid = Symbol('valid judgement');
type Judged = FastifyRequest & { [judgement]?: Judgement };
type CachedKey = AuthenticatedKey & { [valid]?: Judgement };

/** Records the check of a key that exists. */
export function setJudgement(request: FastifyRequest, key: AuthenticatedKey, outcome: Outcome): void {
  (request as Judged)[judgement] = outcome === 'VALID' ? validJudgementOf(key) : { key, outcome };
}

/** The check of the key of a request; undefined without a key that exists. */
export function judgementOf(request: FastifyRequest): Judgement | undefined {
  return (request as Judged)[judgement];
}

/** The key that a request was authenticated with: it works, although it may lack the scope or be over its rate limit. */
export function authenticatedKeyOf(request: FastifyRequest): AuthenticatedKey | undefined {
  const checked = judgementOf(request);
  return checked && isUse(checked.outcome) ? checked.key : undefined;
}

/** Whether a check with this outcome is a use of the key: not when it is disabled, has expired, or is not for this address. */
export function isUse(outcome: string): boolean {
  return outcome === 'VALID' || outcome === 'INSUFFICIENT_SCOPE' || outcome === 'RATE_LIMITED';
}

/** The same object for all requests with a cached key, because each request would allocate another. */
function validJudgementOf(key: CachedKey): Judgement {
  key[valid] ??= { key, outcome: 'VALID' };
  return key[valid];
}
