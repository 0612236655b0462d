import type { Batch } from './batch.js';
import type { RequestLogFilter } from './filter.js';
import type { GroupKind, RequestGroups } from './groups.js';
import type { KeyStats, KeyStatsQuery } from './key-stats.js';
import type { RequestRecord } from './record.js';
import type { RequestLogRow } from './row.js';
import type { Stats, StatsQuery } from './stats.js';
import type { StatsRange } from './stats-range.js';
import type { LimitedKeys, OwnerUsage, Usage, UsageQuery } from './usage.js';

/** The largest number of records in one batch. */
export const maxBatchRows = 5_000;

/** Reads the rows and the statistics of the request log. */
export interface RequestLogReader {
  /** Rows that match, newest first. @param before only rows with lower ids */
  page(filter: RequestLogFilter, limit: number, before?: string): Promise<RequestLogRow[]>;
  /**
   * Rows that match, longest duration first.
   *
   * @param isShort false: returns only rows of 500 ms or more, which are indexed, because sorting the whole range would take too long
   */
  slowest(filter: RequestLogFilter, limit: number, isShort: boolean): Promise<RequestLogRow[]>;
  get(id: string): Promise<RequestLogRow | null>;
  /** Rows that match, oldest first, up to the newest id at the start. Reads one page at a time, on demand. */
  pages(filter: RequestLogFilter): AsyncGenerator<RequestLogRow[], undefined>;
  /** The first and last id in the range of a filter; null without rows. Other fields of the filter are ignored. */
  edges(filter: Pick<RequestLogFilter, 'from' | 'to'>): Promise<{ first: string; last: string } | null>;
  /** Groups of the newest requests that match. */
  groups(kind: GroupKind, filter: RequestLogFilter & { from: string }): Promise<RequestGroups>;
  stats(query: StatsQuery): Promise<Stats>;
  /** Requests of keys over time, busiest key first. Keys without requests are left out. */
  keyStats(query: KeyStatsQuery): Promise<KeyStats>;
  /** Checks over time, in total and by interval. Intervals without checks are left out. */
  usage(query: UsageQuery): Promise<Usage>;
  /** The owners with the most checks. */
  owners(range: StatsRange): Promise<OwnerUsage>;
  /** The keys that limits and quotas denied most often. */
  limitedKeys(range: StatsRange): Promise<LimitedKeys>;
}

/** Where the request log is stored. */
export interface RequestLogStore extends RequestLogReader {
  readonly kind: 'postgresql' | 'clickhouse';
  /** Whether `ready` has resolved. */
  readonly isReady: boolean;
  /** Resolves when batches can be written. Rejects when the service closes before. */
  readonly ready: Promise<void>;
  /**
   * Stores a batch of up to `maxBatchRows` records, and adds them to the statistics, unless it has the batch. The records are committed
   * when it resolves.
   *
   * @returns the records that the store rejects, each reported in the service's log; all others are stored
   * @throws any other error; then the batch may be stored, or a part of it: it can be written again
   */
  write(batch: Batch): Promise<RequestRecord[]>;
  /**
   * Settles the charges of a batch that the spool has, so that they count while the store is down. Undefined where rows and charges are
   * stored by one statement. Never rejects.
   */
  settleCharges?(batch: Batch): Promise<void>;
  /** The earliest time with statistics by minute. For earlier ranges, only those by hour and day exist. */
  minutesSince(now: Date): Date;
  /** Ends connections, after the last batch. Waits for a second at most. */
  close(): Promise<void>;
}
