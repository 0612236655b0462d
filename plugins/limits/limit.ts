/** At most `limit` requests within a window. */
export interface Limit {
  /** Its name within the key or the owner. */
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
/** The name of the limit that `rateLimitPerMinute` is the short form of. */
export const minuteName = 'minute';
/** The name of quotas in responses. */
export const quotaName = 'quota';

const namePart = '[a-z][a-z0-9_-]{0,31}';
/** The pattern of the name of a limit. */
export const limitNamePattern = `^${namePart}$`;

const units = { s: 1, m: 60, h: 3_600, d: 86_400 };
const namedWindows: Record<number, string> = { 1: 'second', 60: minuteName, 3600: 'hour', 86400: 'day' };

export const limitsHint = `1 to ${maxLimits} limits of different windows, such as 10/1s,600/1m: requests per window in s, m, h or d, of up to 31 days; minute is the name of the window of 60 s`;

export function perMinuteLimit(limit: number): Limit {
  return { name: minuteName, limit, windowSeconds: 60 };
}

/** Whether a request exceeds a limit. @param count the requests in the window before it */
export function exceeds({ limit }: Pick<Limit, 'limit'>, count: number, cost: number): boolean {
  return count + Math.max(1, cost) > limit;
}

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
  return limitsFault(valid) ? undefined : sortedByWindow(valid);
}

function parseLimit(text: string): Limit | undefined {
  const [, name, requests, count, unit] = limitFormat.exec(text) ?? [];
  if (requests === undefined) return undefined;
  const windowSeconds = Number(count || 1) * units[unit as keyof typeof units];
  const limit = Number(requests);
  if (limit < 1 || limit > maxRequests || windowSeconds < 1 || windowSeconds > maxWindowSeconds) return undefined;
  return { name: name ?? nameOf(windowSeconds), limit, windowSeconds };
}

const limitFormat = new RegExp(`^(?:(${namePart})=)?(\\d{1,10})/(\\d{0,7})([smhd])$`);

function nameOf(windowSeconds: number): string {
  return namedWindows[windowSeconds] ?? `w${shortWindow(windowSeconds)}`;
}

/** Formats limits for `parseLimits`. */
export function formatLimits(limits: readonly Limit[]): string {
  return limits
    .map(({ name, limit, windowSeconds }) => {
      const prefix = name === nameOf(windowSeconds) ? '' : `${name}=`;
      return `${prefix}${limit}/${shortWindow(windowSeconds)}`;
    })
    .join(' ');
}

function shortWindow(seconds: number): string {
  const [unit, length] = Object.entries(units).findLast(([, length]) => seconds % length === 0) ?? ['s', 1];
  return `${seconds / length}${unit}`;
}

/** Such as “a minute” or “in 10 minutes”. */
export function windowText(seconds: number): string {
  const named = namedWindows[seconds];
  if (named !== undefined) return `${named === 'hour' ? 'an' : 'a'} ${named}`;
  const longUnits = { seconds: 1, minutes: 60, hours: 3_600, days: 86_400 };
  const [unit, length] = Object.entries(longUnits).findLast(([, length]) => seconds % length === 0) ?? ['seconds', 1];
  return `in ${seconds / length} ${unit}`;
}

/** The shortest window first. */
export function sortedByWindow(limits: readonly Limit[]): Limit[] {
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
    if (name === quotaName) return { path: `/${i}/name`, message: `must not be "${quotaName}"` };
    if (others.some((other) => other.name === name)) return { path: `/${i}/name`, message: 'must be unique' };
    if (others.some((other) => other.windowSeconds === windowSeconds))
      return { path: `/${i}/windowSeconds`, message: 'must be unique' };
    if ((name === minuteName) !== (windowSeconds === 60))
      return { path: `/${i}/name`, message: `must be "${minuteName}" for the window of 60 seconds, and for no other` };
  }
  return undefined;
}
