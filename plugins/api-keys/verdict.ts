import type { CallingKey } from './key-cache.js';
import { adminScope } from './store.js';

/** What a presented key is worth. */
export type Verdict = 'VALID' | 'NOT_FOUND' | 'DISABLED' | 'EXPIRED' | 'INSUFFICIENT_SCOPE';

/** What became of a request for authentication, or of a question about a key. */
export const outcomes = [
  'VALID',
  'MISSING',
  'NOT_FOUND',
  'DISABLED',
  'EXPIRED',
  'INSUFFICIENT_SCOPE',
  'RATE_LIMITED',
  'UNAVAILABLE',
] as const;
export type Outcome = (typeof outcomes)[number];

/** @param scope what the key must be allowed to do; without it any living key will do */
export function judge(key: CallingKey | null, scope: string | undefined): Verdict {
  if (key === null) return 'NOT_FOUND';
  if (!key.active) return 'DISABLED';
  if (key.expiresAt && key.expiresAt.getTime() <= Date.now()) return 'EXPIRED';
  return scope === undefined || allows(key, scope) ? 'VALID' : 'INSUFFICIENT_SCOPE';
}

export function allows({ scopes }: CallingKey, scope: string): boolean {
  return scopes.includes(scope) || scopes.includes(adminScope);
}
