import type { StatsRange } from './stats-range.js';

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
