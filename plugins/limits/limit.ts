/** At most `limit` requests within a window. */
export interface Limit {
  name: string;
  /** Requests; a request with a cost counts as that many. */
  limit: number;
  windowSeconds: number;
}

/** The largest number of limits of a key or an owner. */
export const maxLimits = 5;
export const maxRequests = 1_000_000_000;
export const maxWindowSeconds = 31 * 86_400;
/** The highest cost of a request. */
export const maxCost = 1_000;
/** The name of a limit, which responses show. */
export const limitNamePattern = '^[a-z][a-z0-9_-]{0,31}$';
/** The name of the limit that `rateLimitPerMinute` is the short form of. */
export const minute = 'minute';

const units = { s: 1, m: 60, h: 3_600, d: 86_400 };
const namedWindows: Record<number, string> = { 1: 'second', 60: minute, 3600: 'hour', 86400: 'day' };

export const limitsHint = `up to ${maxLimits} limits such as 10/1s,600/1m: requests in a window of s, m, h or d, of up to 31 days, each window once`;

/**
 * Parses limits such as `10/1s,600/1m`. They are named after their window: `second`, `minute`, `hour`, `day`, otherwise such as `w10m`.
 * `burst=10/1s` sets another name.
 *
 * @returns undefined for an invalid text
 */
export function parseLimits(text: string): Limit[] | undefined {
  const limits = text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(parseLimit);
  if (limits.length > maxLimits || limits.includes(undefined)) return undefined;
  const valid = limits as Limit[];
  return limitsFault(valid) ? undefined : sorted(valid);
}

function parseLimit(text: string): Limit | undefined {
  const [, name, requests, count, unit] = limitFormat.exec(text) ?? [];
  if (requests === undefined) return undefined;
  const windowSeconds = Number(count || 1) * units[unit as keyof typeof units];
  const limit = Number(requests);
  if (limit < 1 || limit > maxRequests || windowSeconds < 1 || windowSeconds > maxWindowSeconds) return undefined;
  return { name: name ?? nameOf(windowSeconds), limit, windowSeconds };
}

const limitFormat = /^(?:([a-z][a-z0-9_-]{0,31})=)?(\d{1,10})\/(\d{0,7})([smhd])$/;

function nameOf(windowSeconds: number): string {
  return namedWindows[windowSeconds] ?? `w${windowText(windowSeconds)}`;
}

/** Formats limits for `parseLimits`. */
export function formatLimits(limits: readonly Limit[]): string {
  return limits
    .map(({ name, limit, windowSeconds }) => {
      const prefix = name === nameOf(windowSeconds) ? '' : `${name}=`;
      return `${prefix}${limit}/${windowText(windowSeconds)}`;
    })
    .join(' ');
}

function windowText(seconds: number): string {
  const [unit, length] = Object.entries(units).findLast(([, length]) => seconds % length === 0) ?? ['s', 1];
  return `${seconds / length}${unit}`;
}

/** The shortest window first. */
export function sorted(limits: readonly Limit[]): Limit[] {
  return limits.toSorted((a, b) => a.windowSeconds - b.windowSeconds);
}

/**
 * Checks limits for rules that a schema cannot express.
 *
 * @returns the first fault, with its path in the list; undefined when they are valid
 */
export function limitsFault(limits: readonly Limit[]): { path: string; message: string } | undefined {
  for (const [i, { name, windowSeconds }] of limits.entries()) {
    const others = limits.slice(0, i);
    if (others.some((other) => other.name === name)) return { path: `/${i}/name`, message: 'must be unique' };
    if (others.some((other) => other.windowSeconds === windowSeconds))
      return { path: `/${i}/windowSeconds`, message: 'must be unique' };
    if ((name === minute) !== (windowSeconds === 60))
      return { path: `/${i}/name`, message: `must be "${minute}" for the window of 60 seconds, and for no other` };
  }
  return undefined;
}
