import createError from '@fastify/error';
import type { FastifyError } from 'fastify';
import { fieldsOf, type Standing } from '../limits/standing.js';
import type { Verdict } from './verdict.js';

// RFC 6750: the challenge names an error only where a credential was presented.
const challenge = 'Bearer realm="api"';
const refused = { 'www-authenticate': `${challenge}, error="invalid_token"` };

const KeyMissing = createError(
  'API_KEY_MISSING',
  'an API key is needed: Authorization: Bearer KEY, or X-API-Key: KEY',
  401,
);
const KeyUnknown = createError('API_KEY_UNKNOWN', 'there is no such API key', 401);
const KeyDisabled = createError('API_KEY_DISABLED', 'this API key is disabled', 401);
const KeyExpired = createError('API_KEY_EXPIRED', 'this API key has expired', 401);
const KeysDiffer = createError('API_KEYS_DIFFER', 'the request carries two different API keys', 400);
const ScopeMissing = createError('INSUFFICIENT_SCOPE', 'this API key lacks the scope "%s"', 403);
const LookupFailed = createError(
  'DATABASE_UNAVAILABLE',
  'this API key cannot be checked just now: the database does not answer',
  503,
);
const KeyLimited = createError('RATE_LIMITED', 'this API key may make %s requests a minute', 429);
const GuessesLimited = createError('TOO_MANY_BAD_KEYS', 'too many unknown API keys have come from this address', 429);
const KeyNotFound = createError('API_KEY_NOT_FOUND', 'there is no API key with this id', 404);
const KeyDead = createError('API_KEY_DEAD', 'a key that is disabled or has expired cannot be rotated', 409);
const KeyReplaced = createError('API_KEY_REPLACED', 'this key has been rotated already: %s takes its place', 409);
const LastAdminKey = createError(
  'LAST_ADMIN_KEY',
  'this is the last active admin key: nobody could manage keys any more. Say force to do it all the same',
  409,
);

export const keyMissing = () => withHeaders(new KeyMissing(), { 'www-authenticate': challenge });
export const keysDiffer = () => new KeysDiffer();

const refusals = {
  NOT_FOUND: () => withHeaders(new KeyUnknown(), refused),
  DISABLED: () => withHeaders(new KeyDisabled(), refused),
  EXPIRED: () => withHeaders(new KeyExpired(), refused),
  INSUFFICIENT_SCOPE: (scope: string) =>
    withHeaders(new ScopeMissing(scope), {
      'www-authenticate': `${challenge}, error="insufficient_scope", scope="${scope}"`,
    }),
} satisfies Record<Exclude<Verdict, 'VALID'>, (scope: string) => FastifyError>;

/** The answer to a request whose key does not open it. */
export const refusalOf = (verdict: keyof typeof refusals, scope = '') => refusals[verdict](scope);

export const lookupFailed = (cause: unknown) =>
  withHeaders(Object.assign(new LookupFailed(), { cause }), { 'retry-after': '1' });

export const keyLimited = (standing: Standing) => withHeaders(new KeyLimited(standing.limit), limitedFields(standing));
export const guessesLimited = (standing: Standing) => withHeaders(new GuessesLimited(), limitedFields(standing));

function limitedFields(standing: Standing) {
  return { ...fieldsOf(standing), 'retry-after': String(standing.resetSeconds) };
}

export const keyNotFound = () => new KeyNotFound();
export const keyDead = () => new KeyDead();
export const keyReplaced = (by: string) => new KeyReplaced(by);
export const lastAdminKey = () => new LastAdminKey();

function withHeaders(error: FastifyError, headers: Record<string, string>): FastifyError {
  return Object.assign(error, { headers });
}
