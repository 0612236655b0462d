import { type Histogram, quantileOf } from './histogram.js';
import type { RoundedRange, StatsRange } from './stats-range.js';

export interface StatsQuery extends StatsRange {
  route?: string | undefined;
  method?: string | undefined;
  /** A status, a class such as `5xx`, or a bound such as `>=400`. */
  statusCode?: number | string | undefined;
  /** Whether to leave out requests that only read the management API. */
  excludeManagement?: boolean | undefined;
}

/** The largest number of keys in the statistics. */
export const maxBusiestKeys = 100;

/** Streams, whose duration depends on the client. */
export const streamRoutes = ['/v1/request-logs/export', '/v1/request-logs/stream', '/v1/api-keys/export'];

/** Requests in one bucket of a histogram. */
interface Bin {
  bucket: string | number;
  count: number;
}

/** What a store reads for a query. */
export interface StatsFigures {
  /** Requests by interval and class of status (2 for 2xx), earliest first. `at` counts whole intervals since 1970. */
  counts: { at: number; class: number; count: number }[];
  /** Histograms of durations, one for each `durationInterval`. Streams are left out unless the query names a route. */
  durationBins: (Bin & { at: number })[];
  routeCounts: { method: string; route: string; statusCode: number; count: number }[];
  routeBins: (Bin & { method: string; route: string })[];
  /** The busiest keys; null when the query has a route, method or status, which the statistics of keys do not have. Ignores `excludeManagement`. */
  keys: { apiKeyId: string; count: number; errors: number }[] | null;
}

/** The statistics of a query. */
export type Stats = ReturnType<typeof statsOf>;

/** Sums up the figures of a query. */
export function statsOf({ route }: StatsQuery, range: RoundedRange, figures: StatsFigures) {
  const { from, to, interval, durationInterval } = range;
  const { counts, durationBins, routeCounts, routeBins, keys } = figures;
  const startOf = (at: number, interval: number) => new Date(at * interval * 1000);
  const percentilesByTime = new Map(
    [...groupsOf(durationBins, ({ at }) => at)].map(([at, bins]) => [at, percentilesOf(bins)]),
  );
  const percentilesByRoute = new Map(
    [...groupsOf(routeBins, nameOfRoute)].map(([name, bins]) => [name, percentilesOf(bins)]),
  );
  const timedBins = routeBins.filter(({ route: name }) => route !== undefined || !streamRoutes.includes(name));
  return {
    from,
    to,
    interval,
    total: { ...countsByClass(routeCounts), ...percentilesOf(timedBins) },
    series: [...groupsOf(counts, ({ at }) => at)].map(([at, counts]) => ({
      start: startOf(at, interval),
      ...countsByClass(counts),
      ...(durationInterval === interval ? (percentilesByTime.get(at) ?? noPercentiles) : noPercentiles),
    })),
    durations: {
      interval: durationInterval,
      series: [...percentilesByTime]
        .sort(([a], [b]) => a - b)
        .map(([at, percentiles]) => ({ start: startOf(at, durationInterval), ...percentiles })),
    },
    routes: [...groupsOf(routeCounts, nameOfRoute)]
      .map(([name, counts]) => ({
        method: counts[0]?.method ?? '',
        route: counts[0]?.route ?? '',
        ...countsByClass(counts),
        ...(percentilesByRoute.get(name) ?? noPercentiles),
      }))
      .sort((a, b) => b.count - a.count || (nameOfRoute(a) < nameOfRoute(b) ? -1 : 1)),
    statuses: [...groupsOf(routeCounts, ({ statusCode }) => statusCode)]
      .map(([statusCode, counts]) => ({ statusCode, count: sumOf(counts) }))
      .sort((a, b) => a.statusCode - b.statusCode),
    keys,
  };
}

function groupsOf<Row, Key>(bins: Row[], keyOf: (bin: Row) => Key): Map<Key, Row[]> {
  const groups = new Map<Key, Row[]>();
  for (const bin of bins) {
    const key = keyOf(bin);
    const group = groups.get(key);
    if (group) group.push(bin);
    else groups.set(key, [bin]);
  }
  return groups;
}

const sumOf = (counts: { count: number }[]) => counts.reduce((sum, { count }) => sum + count, 0);

/** @param counts by status, or by class of status */
function countsByClass(counts: ({ count: number } & ({ statusCode: number } | { class: number }))[]) {
  const statusClasses: Record<string, number> = {};
  const classOf = (row: (typeof counts)[number]) => ('class' in row ? row.class : Math.floor(row.statusCode / 100));
  for (const row of counts.toSorted((a, b) => classOf(a) - classOf(b))) {
    const name = `${classOf(row)}xx`;
    statusClasses[name] = (statusClasses[name] ?? 0) + row.count;
  }
  return { count: sumOf(counts), errors: statusClasses['5xx'] ?? 0, statusClasses };
}

const nameOfRoute = ({ method, route }: { method: string; route: string }) => `${method} ${route}`;
const noPercentiles = { p50: null, p95: null, p99: null };

function percentilesOf(bins: Bin[]) {
  const histogram = new Map<number, number>();
  for (const bin of bins) {
    const bucket = Number(bin.bucket);
    histogram.set(bucket, (histogram.get(bucket) ?? 0) + bin.count);
  }
  return { p50: rounded(histogram, 0.5), p95: rounded(histogram, 0.95), p99: rounded(histogram, 0.99) };
}

/** Rounds to three digits, which is more precise than the buckets. */
function rounded(histogram: Histogram, share: number): number | null {
  const quantile = quantileOf(histogram, share);
  return quantile === null ? null : Number(quantile.toPrecision(3));
}
