import type { ApiKey } from '../../routes/api-key-fields.js';
import type { Wire } from '../api.js';
import { fromNow } from '../parts/time.js';
import { serverNow } from '../server-clock.js';

export type Key = Wire<ApiKey>;

const soonMs = 14 * 86_400_000;

export interface State {
  /** Whether requests with the key are accepted. */
  isUsable: boolean;
  label: string;
  /** The CSS class. */
  look: 'good' | 'warn' | 'off';
}

/** The state of a key. */
export function stateOf({ active, expiresAt, replacedBy }: Key, now = serverNow()): State {
  const endsAt = expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);
  if (endsAt <= now) return { isUsable: false, label: replacedBy ? 'Replaced' : 'Expired', look: 'off' };
  if (!active) return { isUsable: false, label: 'Disabled', look: 'off' };
  if (replacedBy) return { isUsable: true, label: `Replaced, ends ${fromNow(new Date(endsAt), now)}`, look: 'warn' };
  if (endsAt - now < soonMs) return { isUsable: true, label: 'Active, ends soon', look: 'warn' };
  return { isUsable: true, label: 'Active', look: 'good' };
}
