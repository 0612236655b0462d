import type { ApiKey } from '../../../api-key-fields.js';
import type { Wire } from '../api.js';
import { fromNow } from '../parts/time.js';

export type Key = Wire<ApiKey>;

const soonMs = 14 * 86_400_000;

export interface State {
  /** Whether a request with it is let in. */
  isAlive: boolean;
  words: string;
  /** The class of the style sheet for it. */
  look: 'good' | 'warn' | 'off';
}

/** How a key stands. */
export function stateOf({ active, expiresAt, replacedBy }: Key, now = Date.now()): State {
  const endsAt = expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);
  if (endsAt <= now) return { isAlive: false, words: replacedBy ? 'Replaced' : 'Expired', look: 'off' };
  if (!active) return { isAlive: false, words: 'Disabled', look: 'off' };
  if (replacedBy) return { isAlive: true, words: `Replaced, ends ${fromNow(new Date(endsAt), now)}`, look: 'warn' };
  if (endsAt - now < soonMs) return { isAlive: true, words: 'Active, ends soon', look: 'warn' };
  return { isAlive: true, words: 'Active', look: 'good' };
}
