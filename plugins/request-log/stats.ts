import type { DatabaseHandle } from '../database/index.js';
import { type Histogram, quantileOf } from './histogram.js';
import { type StatsRange, wholeIntervals } from './stats-range.js';

export interface StatsQuery extends StatsRange {
  route?: string | undefined;
  method?: string | undefined;
  statusCode?: number | undefined;
}

export interface Figures {
  count: number;
  /** Responses with a status of 500 or more. */
  errors: number;
  /** Milliseconds; null without requests. */
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

const busiestKeys = 100;

/** Streams, whose duration depends on the client. */
const openEnded = '/v1/request-logs/export,/v1/request-logs/stream,/v1/api-keys/export';

/**
 * Sums each bin of the histograms by interval and by route. Streams are left out of durations, unless the query is about them.
 */
const binsOf = (schema: string) => `
  SELECT $4::int * floor(extract(epoch FROM start) / $4::int) AS at, method, route, bin & 127 AS bucket,
    sum(bin >> 7)::float8 AS count,
    sum(bin >> 7) FILTER (WHERE $5::text IS NOT NULL OR route <> ALL ('{${openEnded}}'))::float8 AS timed,
    sum(bin >> 7) FILTER (WHERE "statusCode" >= 500)::float8 AS errors
  FROM ${schema}.request_stats, unnest(histogram) AS bin
  WHERE period = $1 AND start >= $2 AND start < $3
    AND ($5::text IS NULL OR route = $5) AND ($6::text IS NULL OR method = $6) AND ($7::int IS NULL OR "statusCode" = $7)
  GROUP BY GROUPING SETS ((1, 4), (method, route, 4))`;

const statusesOf = (schema: string) => `
  SELECT "statusCode", sum(count)::float8 AS count FROM ${schema}.request_stats
  WHERE period = $1 AND start >= $2 AND start < $3
    AND ($4::text IS NULL OR route = $4) AND ($5::text IS NULL OR method = $5) AND ($6::int IS NULL OR "statusCode" = $6)
  GROUP BY 1 ORDER BY 1`;

const keysOf = (schema: string) => `
  SELECT "apiKeyId", sum(count)::float8 AS count, sum(errors)::float8 AS errors FROM ${schema}.request_stats_by_key
  WHERE period = $1 AND start >= $2 AND start < $3
  GROUP BY 1 ORDER BY count DESC, 1 LIMIT ${busiestKeys}`;

interface Bin {
  /** Seconds since 1970; null in a bin by route. */
  at: number | null;
  method: string | null;
  route: string | null;
  bucket: string;
  count: number;
  /** The bins with durations; null without any. */
  timed: number | null;
  errors: number | null;
}

/** Reads the statistics. The time does not depend on the number of logged requests. */
export async function statsOf(
  { pool, quotedSchema }: Pick<DatabaseHandle, 'pool' | 'quotedSchema'>,
  query: StatsQuery,
) {
  const { route, method, statusCode } = query;
  const { from, to, interval, parameters: range } = wholeIntervals(query);
  const filter = [route, method, statusCode].map((value) => value ?? null);
  const isFiltered = filter.some((value) => value !== null);
  const [bins, statuses, keys] = await Promise.all([
    pool.query<Bin>(binsOf(quotedSchema), [...range, interval, ...filter]),
    pool.query<{ statusCode: number; count: number }>(statusesOf(quotedSchema), [...range, ...filter]),
    isFiltered
      ? undefined
      : pool.query<{ apiKeyId: string; count: number; errors: number }>(keysOf(quotedSchema), range),
  ]);

  const byTime = bins.rows.filter(({ at }) => at !== null);
  const byRoute = bins.rows.filter(({ at }) => at === null);
  return {
    from,
    to,
    interval,
    total: figuresOf(byRoute, timedOf),
    series: [...groupsOf(byTime, ({ at }) => Number(at))]
      .sort(([a], [b]) => a - b)
      .map(([at, bins]) => ({ start: new Date(at * 1000), ...figuresOf(bins, timedOf) })),
    routes: [...groupsOf(byRoute, ({ method, route }) => `${method} ${route}`).values()]
      .map((bins) => ({ method: bins[0]?.method ?? '', route: bins[0]?.route ?? '', ...figuresOf(bins, countOf) }))
      .sort((a, b) => b.count - a.count),
    statuses: statuses.rows,
    keys: keys?.rows ?? null,
  };
}

function groupsOf<Key>(bins: Bin[], keyOf: (bin: Bin) => Key): Map<Key, Bin[]> {
  const groups = new Map<Key, Bin[]>();
  for (const bin of bins) {
    const key = keyOf(bin);
    const group = groups.get(key);
    if (group) group.push(bin);
    else groups.set(key, [bin]);
  }
  return groups;
}

const countOf = ({ count }: Bin) => count;
const timedOf = ({ timed }: Bin) => timed ?? 0;

/** @param weightOf how many durations each bin has */
function figuresOf(bins: Bin[], weightOf: (bin: Bin) => number): Figures {
  const histogram = new Map<number, number>();
  for (const bin of bins) {
    const bucket = Number(bin.bucket);
    histogram.set(bucket, (histogram.get(bucket) ?? 0) + weightOf(bin));
  }
  const sum = (of: (bin: Bin) => number) => bins.reduce((total, bin) => total + of(bin), 0);
  return {
    count: sum(countOf),
    errors: sum(({ errors }) => errors ?? 0),
    p50: rounded(histogram, 0.5),
    p95: rounded(histogram, 0.95),
    p99: rounded(histogram, 0.99),
  };
}

/** Rounds to three digits, which is more precise than the buckets. */
function rounded(histogram: Histogram, share: number): number | null {
  const quantile = quantileOf(histogram, share);
  return quantile === null ? null : Number(quantile.toPrecision(3));
}
