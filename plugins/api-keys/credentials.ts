import type { IncomingHttpHeaders } from 'node:http';
import { keysDiffer } from './errors.js';

/**
 * The key that a request presents, as `Authorization: Bearer KEY` or `X-API-Key: KEY`.
 *
 * @returns null when it presents none; another scheme than Bearer is not ours and counts as none
 * @throws keysDiffer when it presents two that are not the same
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-2.1
 */
export function presentedKey(headers: IncomingHttpHeaders): string | null {
  const { authorization } = headers;
  const named = headers['x-api-key'] as string | undefined;
  if (named === undefined) {
    if (authorization === undefined) return null;
    // The usual request, in as few steps as can be.
    if (authorization.startsWith('Bearer ') && !authorization.includes(','))
      return authorization.slice(7).trim() || null;
  }
  const keys = new Set([...bearerTokens(authorization), ...listed(named)]);
  if (keys.size > 1) throw keysDiffer();
  const [key = null] = keys;
  return key;
}

/** Node.js joins a repeated field with commas, which no key contains. */
function listed(value: string | undefined): string[] {
  return (
    value
      ?.split(',')
      .map((item) => item.trim())
      .filter(Boolean) ?? []
  );
}

function bearerTokens(authorization: string | undefined): string[] {
  return listed(authorization).flatMap((item) => /^bearer +(\S+)$/i.exec(item)?.[1] ?? []);
}
