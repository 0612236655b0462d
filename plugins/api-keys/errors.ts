import createError from '@fastify/error';
import type { FastifyError } from 'fastify';

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

export const keyMissing = () => withHeaders(new KeyMissing(), { 'www-authenticate': challenge });
export const keyUnknown = () => withHeaders(new KeyUnknown(), refused);
export const keyDisabled = () => withHeaders(new KeyDisabled(), refused);
export const keyExpired = () => withHeaders(new KeyExpired(), refused);
export const keysDiffer = () => new KeysDiffer();
export const scopeMissing = (scope: string) =>
  withHeaders(new ScopeMissing(scope), {
    'www-authenticate': `${challenge}, error="insufficient_scope", scope="${scope}"`,
  });
export const lookupFailed = (cause: unknown) =>
  withHeaders(Object.assign(new LookupFailed(), { cause }), { 'retry-after': '1' });

function withHeaders(error: FastifyError, headers: Record<string, string>): FastifyError {
  return Object.assign(error, { headers });
}
