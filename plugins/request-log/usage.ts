import type { StatsRange } from './stats-range.js';

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

export function emptyCounts(): CheckCounts {
  return { count: 0, outcomes: {} };
}

export function addUsage(counts: CheckCounts, outcome: string, count: number): void {
  counts.count += count;
  counts.outcomes[outcome] = (counts.outcomes[outcome] ?? 0) + count;
}
