import type { RoundedRange, StatsRange } from './stats-range.js';

export interface KeyStatsQuery extends StatsRange {
  /** The ids of the keys; undefined: the busiest keys. */
  apiKeyIds?: readonly string[] | undefined;
}

/** The largest number of keys in one query. */
export const maxKeys = 100;

export interface KeyCounts {
  apiKeyId: string;
  count: number;
  /** Responses with a status of 500 or more. */
  errors: number;
  /** Intervals with requests, earliest first. */
  series: { start: Date; count: number; errors: number }[];
}

export interface KeyStats {
  from: Date;
  to: Date;
  /** Seconds. */
  interval: number;
  /** Busiest first. */
  keys: KeyCounts[];
}

/** @param rows busiest key first, and of each key by interval; `at` is its start in seconds since 1970 */
export function keyStatsOf(
  { from, to, interval }: RoundedRange,
  rows: readonly { apiKeyId: string; at: number | string; count: number; errors: number }[],
): KeyStats {
  const keys = new Map<string, KeyCounts>();
  for (const { apiKeyId, at, count, errors } of rows) {
    const key = keys.get(apiKeyId) ?? { apiKeyId, count: 0, errors: 0, series: [] };
    keys.set(apiKeyId, key);
    key.count += count;
    key.errors += errors;
    key.series.push({ start: new Date(Number(at) * 1000), count, errors });
  }
  return { from, to, interval, keys: [...keys.values()] };
}
