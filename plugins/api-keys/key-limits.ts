import { type Limit, limitNamePattern, minuteName, perMinuteLimit, sortedByWindow } from '../limits/limit.js';

/** The two columns for the limits of a key. The per-minute limit has its own, because older versions read only that one. */
export interface LimitColumns {
  rateLimitPerMinute?: number | null | undefined;
  rateLimits?: Limit[] | null | undefined;
}

const namePattern = new RegExp(limitNamePattern);
const isPositiveInteger = (value: unknown) => Number.isInteger(value) && (value as number) > 0;

/** Returns a stored limit; one that denies every request when SQL has stored something else. */
export function limitOrDenyAll(stored: Limit): Limit {
  const { name, limit, windowSeconds } = stored ?? {};
  const isLimit = namePattern.test(name) && isPositiveInteger(limit) && isPositiveInteger(windowSeconds);
  return isLimit ? { name, limit, windowSeconds } : { name: 'unreadable', limit: 0, windowSeconds: 60 };
}

/** The limits of a key itself, shortest window first. Empty: the service's default applies. */
export function ownLimits({ rateLimitPerMinute, rateLimits }: LimitColumns): Limit[] {
  const others = (rateLimits ?? []).map(limitOrDenyAll);
  if (rateLimitPerMinute === null || rateLimitPerMinute === undefined) return others;
  return sortedByWindow([perMinuteLimit(rateLimitPerMinute), ...others]);
}

/** @param limits all limits of a key @returns those of the column `rateLimits` */
export function withoutMinute(limits: readonly Limit[]): Limit[] {
  return limits.filter(({ name }) => name !== minuteName);
}

/**
 * The columns to write for the fields of a request. `rateLimits` sets all limits, `rateLimitPerMinute` only the per-minute limit.
 *
 * @returns undefined for a column that stays
 */
export function limitColumnsOf({ rateLimitPerMinute, rateLimits }: LimitColumns): LimitColumns {
  if (rateLimits === undefined || rateLimits === null) return { rateLimitPerMinute, rateLimits: undefined };
  const others = withoutMinute(rateLimits);
  return {
    rateLimitPerMinute: rateLimits.find(({ name }) => name === minuteName)?.limit ?? null,
    rateLimits: others.length > 0 ? sortedByWindow(others) : null,
  };
}
