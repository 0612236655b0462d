import { type Limit, limitNamePattern, minute, sorted } from '../limits/limit.js';

/** How the limits of a key are stored: the one by the minute where versions without the others read it. */
export interface StoredLimits {
  rateLimitPerMinute?: number | null | undefined;
  rateLimits?: Limit[] | null | undefined;
}

const isName = new RegExp(limitNamePattern);
const isCount = (value: unknown) => Number.isInteger(value) && (value as number) > 0;

/** The limit; one that denies every request in place of a value that SQL has set and that is none. */
export function readableLimit(value: Limit): Limit {
  const { name, limit, windowSeconds } = value ?? {};
  const isReadable = isName.test(name) && isCount(limit) && isCount(windowSeconds);
  return isReadable ? { name, limit, windowSeconds } : { name: 'unreadable', limit: 0, windowSeconds: 60 };
}

/** The limits of a key itself, shortest window first. Empty: the service's default applies. */
export function ownLimits({ rateLimitPerMinute, rateLimits }: StoredLimits): Limit[] {
  const others = (rateLimits ?? []).map(readableLimit);
  if (rateLimitPerMinute === null || rateLimitPerMinute === undefined) return others;
  return sorted([{ name: minute, limit: rateLimitPerMinute, windowSeconds: 60 }, ...others]);
}

/**
 * The columns to write for the given fields. `rateLimits` sets all limits, `rateLimitPerMinute` only the one by the minute.
 *
 * @returns undefined for a column that stays
 */
export function storedLimits({ rateLimitPerMinute, rateLimits }: StoredLimits) {
  if (rateLimits === undefined || rateLimits === null) return { rateLimitPerMinute, rateLimits: undefined };
  const others = rateLimits.filter(({ name }) => name !== minute);
  return {
    rateLimitPerMinute: rateLimits.find(({ name }) => name === minute)?.limit ?? null,
    rateLimits: others.length > 0 ? sorted(others) : null,
  };
}
