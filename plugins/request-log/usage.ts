import type { RoundedRange, StatsRange } from './stats-range.js';

/** Checks of a key or of all keys of an owner: those that are given must match. */
export interface UsageQuery extends StatsRange {
  apiKeyId?: string | undefined;
  ownerId?: string | undefined;
}

export interface CheckCounts {
  /** All checks. */
  count: number;
  /** Checks by outcome, such as `VALID`. Outcomes without checks are left out. */
  outcomes: Record<string, number>;
}

interface Range {
  from: Date;
  to: Date;
}

export interface Usage extends Range {
  /** Seconds. */
  interval: number;
  total: CheckCounts;
  /** Intervals with checks, earliest first. */
  series: (CheckCounts & { start: Date })[];
}

/** Busiest first. */
export interface OwnerUsage extends Range {
  owners: (CheckCounts & { ownerId: string })[];
}

/** Most often denied first. */
export interface LimitedKeys extends Range {
  keys: { apiKeyId: string; ownerId: string | null; rateLimited: number; quotaExceeded: number }[];
}

/** The largest number of owners in one response. */
export const maxOwners = 100;
/** The largest number of limited keys in one response. */
export const maxLimitedKeys = 100;

/** @param rows by interval, earliest first; `at` is its start in seconds since 1970 */
export function usageOf(
  { from, to, interval }: RoundedRange,
  rows: readonly { at: number | string; outcome: string; count: number }[],
): Usage {
  const total = emptyCounts();
  const series = new Map<number, CheckCounts>();
  for (const { at, outcome, count } of rows) {
    const usage = series.get(Number(at)) ?? emptyCounts();
    series.set(Number(at), usage);
    for (const each of [total, usage]) addUsage(each, outcome, count);
  }
  const intervals = [...series].map(([at, usage]) => ({ start: new Date(at * 1_000), ...usage }));
  return { from, to, interval, total, series: intervals };
}

/** @param rows busiest owner first */
export function ownersOf(
  { from, to }: RoundedRange,
  rows: readonly { ownerId: string; outcome: string; count: number }[],
): OwnerUsage {
  const owners = new Map<string, CheckCounts>();
  for (const { ownerId, outcome, count } of rows) {
    const usage = owners.get(ownerId) ?? emptyCounts();
    owners.set(ownerId, usage);
    addUsage(usage, outcome, count);
  }
  return { from, to, owners: [...owners].map(([ownerId, usage]) => ({ ownerId, ...usage })) };
}

/** @param rows most often denied first, with an empty `ownerId` for none */
export function limitedKeysOf(
  { from, to }: RoundedRange,
  rows: readonly { apiKeyId: string; ownerId: string; rateLimited: number; quotaExceeded: number }[],
): LimitedKeys {
  return { from, to, keys: rows.map(({ ownerId, ...key }) => ({ ...key, ownerId: ownerId || null })) };
}

function emptyCounts(): CheckCounts {
  return { count: 0, outcomes: {} };
}

function addUsage(counts: CheckCounts, outcome: string, count: number) {
  counts.count += count;
  counts.outcomes[outcome] = (counts.outcomes[outcome] ?? 0) + count;
}
