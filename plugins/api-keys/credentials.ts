import type { IncomingHttpHeaders } from 'node:http';
import { keysDiffer } from './errors.js';

/**
 * Reads the key of a request from `Authorization: Bearer KEY` or `X-API-Key: KEY`.
 *
 * @returns null without a key; other schemes than Bearer are ignored
 * @throws keysDiffer when the request has two different keys
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-2.1
 */
export function presentedKey(headers: IncomingHttpHeaders): string | null {
  const { authorization } = headers;
  const apiKeyHeader = headers['x-api-key'] as string | undefined;
  if (apiKeyHeader === undefined) {
    if (authorization === undefined) return null;
    // The fast path for most requests.
    if (authorization.startsWith('Bearer ') && !authorization.includes(','))
      return authorization.slice(7).trim() || null;
  }
  const keys = new Set([...bearerTokens(authorization), ...listed(apiKeyHeader)]);
  if (keys.size > 1) throw keysDiffer();
  const [key = null] = keys;
  return key;
}

/** Node.js joins repeated headers with commas, which no key contains. */
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
