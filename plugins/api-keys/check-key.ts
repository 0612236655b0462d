import type { AuthenticatedKey } from './key-cache.js';
import { allows } from './scopes.js';

/** The result of checking a key. */
export type CheckOutcome = 'VALID' | 'NOT_FOUND' | 'DISABLED' | 'EXPIRED' | 'IP_NOT_ALLOWED' | 'INSUFFICIENT_SCOPE';

/** Outcomes of authentication and of verification. */
export const outcomes = [
  'VALID',
  'MISSING',
  'NOT_FOUND',
  'DISABLED',
  'EXPIRED',
  'IP_NOT_ALLOWED',
  'INSUFFICIENT_SCOPE',
  'RATE_LIMITED',
  'QUOTA_EXCEEDED',
  'UNAVAILABLE',
] as const;
export type Outcome = (typeof outcomes)[number];

/**
 * Checks a key. A field with an unexpected value, such as NaN as expiry, denies the key.
 *
 * @param scope the required scope; undefined: none
 * @param ip the address of the client, in canonical form; undefined: not checked
 */
export function checkKey(
  key: AuthenticatedKey | null,
  scope: string | undefined,
  ip: string | undefined,
): CheckOutcome {
  if (key === null) return 'NOT_FOUND';
  if (key.active !== true) return 'DISABLED';
  if (!(key.monotonicExpiryMs > performance.now())) return 'EXPIRED';
  if (key.allowedIps !== null && ip !== undefined && !key.allowedIps.includes(ip)) return 'IP_NOT_ALLOWED';
  return scope === undefined || allows(key, scope) ? 'VALID' : 'INSUFFICIENT_SCOPE';
}
