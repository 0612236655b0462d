import createError from '@fastify/error';
import type { FastifyError } from 'fastify';
import { maxLimits, windowText } from '../limits/limit.js';
import { type LimitState, limitHeaders, tightestOf } from '../limits/limit-state.js';
import type { CheckOutcome } from './check-key.js';

// RFC 6750: the challenge has an error code only when the request had credentials.
const challenge = 'Bearer realm="api"';
const invalidToken = { 'www-authenticate': `${challenge}, error="invalid_token"` };

const KeyMissing = createError(
  'API_KEY_MISSING',
  'an API key is required: Authorization: Bearer KEY, or X-API-Key: KEY',
  401,
);
const KeyUnknown = createError('API_KEY_UNKNOWN', 'this API key does not exist', 401);
const KeyDisabled = createError('API_KEY_DISABLED', 'this API key is disabled', 401);
const KeyExpired = createError('API_KEY_EXPIRED', 'this API key has expired', 401);
const KeysDiffer = createError('API_KEYS_DIFFER', 'the request carries two different API keys', 400);
const IpNotAllowed = createError('IP_NOT_ALLOWED', 'this API key may not be used from this address', 403);
const ScopeExceeded = createError(
  'INSUFFICIENT_SCOPE',
  'this API key cannot manage keys with the scope "%s", which it does not have itself',
  403,
);
const ScopeMissing = createError('INSUFFICIENT_SCOPE', 'this API key lacks the scope "%s"', 403);
const LookupFailed = createError(
  'DATABASE_UNAVAILABLE',
  'this API key cannot be checked: the database is not available',
  503,
);
const KeyLimited = createError('RATE_LIMITED', '%s is limited to %s requests %s', 429);
const QuotaExceeded = createError('QUOTA_EXCEEDED', 'the quota of %s, %s, is used up until %s', 429);
const InvalidKeysLimited = createError('TOO_MANY_BAD_KEYS', 'too many unknown API keys from this address', 429);
const KeyNotFound = createError('API_KEY_NOT_FOUND', 'no API key has this id', 404);
const ExpiryPassed = createError('EXPIRY_PASSED', 'expiresAt must be in the future', 400);
const TooManyLimits = createError(
  'TOO_MANY_LIMITS',
  `a key can have up to ${maxLimits} limits, of which rateLimitPerMinute is one`,
  400,
);
const KeyUnusable = createError('API_KEY_DEAD', 'a key that is disabled or has expired cannot be rotated', 409);
const KeyReplaced = createError('API_KEY_REPLACED', 'this key was rotated before: its successor is %s', 409);
const LastAdminKey = createError(
  'LAST_ADMIN_KEY',
  'this is the last active admin key, or the one that expires last: nobody could manage keys afterwards. Use force (?force=true, --force) to do it anyway',
  409,
);

export const keyMissing = () => withHeaders(new KeyMissing(), { 'www-authenticate': challenge });
export const keysDiffer = () => new KeysDiffer();

const deniedErrors = {
  NOT_FOUND: () => withHeaders(new KeyUnknown(), invalidToken),
  DISABLED: () => withHeaders(new KeyDisabled(), invalidToken),
  EXPIRED: () => withHeaders(new KeyExpired(), invalidToken),
  IP_NOT_ALLOWED: () => new IpNotAllowed(),
  INSUFFICIENT_SCOPE: (scope: string) =>
    withHeaders(new ScopeMissing(scope), {
      'www-authenticate': `${challenge}, error="insufficient_scope", scope="${scope}"`,
    }),
} satisfies Record<Exclude<CheckOutcome, 'VALID'>, (scope: string) => FastifyError>;

/** The error for a key that was denied. */
export const keyDenied = (outcome: keyof typeof deniedErrors, scope = '') => deniedErrors[outcome](scope);

export const lookupFailed = (cause: unknown) =>
  withHeaders(Object.assign(new LookupFailed(), { cause }), { 'retry-after': '1' });

/** @param states of the limits of the key, of which at least one denied the request */
export function keyLimited(states: readonly LimitState[]): FastifyError {
  const { policy, limit, windowSeconds } = tightestOf(states);
  return limited(new KeyLimited(subjectOf(policy), limit, windowText(windowSeconds)), states);
}

/** @param states of the limits and quotas of the key, of which at least one quota denied the request */
export function quotaExceeded(states: readonly LimitState[]): FastifyError {
  const quotas = states.filter(({ resetsAt }) => resetsAt !== undefined);
  const { policy, limit, windowSeconds, resetsAt = 0 } = tightestOf(quotas);
  const period = windowSeconds === daySeconds ? 'day' : 'month';
  return limited(
    new QuotaExceeded(subjectOf(policy), `${limit} requests a ${period}`, new Date(resetsAt).toISOString()),
    states,
  );
}

export const invalidKeysLimited = (state: LimitState) => limited(new InvalidKeysLimited(), [state]);

const daySeconds = 86_400;
function subjectOf(policy: string): string {
  return policy.startsWith('owner:') ? 'the owner of this API key' : 'this API key';
}

/** Clients come back after a day at the latest, as the quota can be raised. */
function limited(error: FastifyError, states: readonly LimitState[]): FastifyError {
  const { resetSeconds } = tightestOf(states);
  const retryAfter = Math.min(daySeconds, Math.max(1, resetSeconds));
  return withHeaders(error, { ...limitHeaders(states), 'retry-after': String(retryAfter) });
}

export const keyNotFound = () => new KeyNotFound();
export const scopeExceeded = (scope: string) => new ScopeExceeded(scope);
export const keyUnusable = () => new KeyUnusable();
export const keyReplaced = (by: string) => new KeyReplaced(by);
export const expiryPassed = () => new ExpiryPassed();
export const tooManyLimits = () => new TooManyLimits();
export const lastAdminKey = () => new LastAdminKey();

function withHeaders(error: FastifyError, headers: Record<string, string>): FastifyError {
  return Object.assign(error, { headers });
}
