import type pg from 'pg';
import { type Histogram, quantileOf } from './histogram.js';

export interface StatsQuestion {
  from: Date;
  /** Does not count itself. */
  to: Date;
  /** Seconds, in whole minutes. */
  interval?: number | undefined;
  route?: string | undefined;
  method?: string | undefined;
  statusCode?: number | undefined;
}

export interface Figures {
  count: number;
  /** Answers from 500 on. */
  errors: number;
  /** Milliseconds; null where there were no requests. */
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

/** No question may have more intervals. */
export const longestSeries = 1_500;

const busiestKeys = 100;

const minute = 60;
const hour = 3_600;
const day = 86_400;
/** What statistics there are by, and up to what length of time they answer quickly by themselves. */
const periods = [
  { period: minute, enough: 6 * hour },
  { period: hour, enough: 14 * day },
  { period: day, enough: Number.POSITIVE_INFINITY },
];
/** What people read off an axis. */
const intervals = [
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * minute),
  ...[1, 2, 3, 6, 12].map((hours) => hours * hour),
  ...[1, 7, 28].map((days) => days * day),
];
const intervalsWanted = 100;

/** Each bin of each histogram once, added up by interval and by route. */
const binsOf = `
  SELECT $4::int * floor(extract(epoch FROM start) / $4::int) AS at, method, route, bin & 127 AS bucket,
    sum(bin >> 7)::float8 AS count, sum(bin >> 7) FILTER (WHERE "statusCode" >= 500)::float8 AS errors
  FROM request_stats, unnest(histogram) AS bin
  WHERE period = $1 AND start >= $2 AND start < $3
    AND ($5::text IS NULL OR route = $5) AND ($6::text IS NULL OR method = $6) AND ($7::int IS NULL OR "statusCode" = $7)
  GROUP BY GROUPING SETS ((1, 4), (method, route, 4))`;

const statusesOf = `
  SELECT "statusCode", sum(count)::float8 AS count FROM request_stats
  WHERE period = $1 AND start >= $2 AND start < $3
    AND ($4::text IS NULL OR route = $4) AND ($5::text IS NULL OR method = $5) AND ($6::int IS NULL OR "statusCode" = $6)
  GROUP BY 1 ORDER BY 1`;

const keysOf = `
  SELECT "apiKeyId", sum(count)::float8 AS count, sum(errors)::float8 AS errors FROM request_stats_by_key
  WHERE period = $1 AND start >= $2 AND start < $3
  GROUP BY 1 ORDER BY count DESC, 1 LIMIT ${busiestKeys}`;

interface Bin {
  /** Seconds since 1970; null in a bin that is by route. */
  at: number | null;
  method: string | null;
  route: string | null;
  bucket: string;
  count: number;
  errors: number | null;
}

/** Answers from the statistics; how many rows there are does not matter. */
export async function statsOf(pool: pg.Pool, question: StatsQuestion) {
  const { route, method, statusCode } = question;
  const interval = question.interval ?? intervalFor(question);
  const period = [day, hour].find((period) => interval % period === 0) ?? minute;
  const from = new Date(Math.floor(question.from.getTime() / 1000 / interval) * interval * 1000);
  const to = new Date(Math.ceil(question.to.getTime() / 1000 / interval) * interval * 1000);
  const range = [period, withoutZone(from), withoutZone(to)];
  const filter = [route, method, statusCode].map((value) => value ?? null);
  const isFiltered = filter.some((value) => value !== null);
  const [bins, statuses, keys] = await Promise.all([
    pool.query<Bin>(binsOf, [...range, interval, ...filter]),
    pool.query<{ statusCode: number; count: number }>(statusesOf, [...range, ...filter]),
    isFiltered ? undefined : pool.query<{ apiKeyId: string; count: number; errors: number }>(keysOf, range),
  ]);

  const byTime = bins.rows.filter(({ at }) => at !== null);
  const byRoute = bins.rows.filter(({ at }) => at === null);
  return {
    from,
    to,
    interval,
    total: figuresOf(byRoute),
    series: [...groupsOf(byTime, ({ at }) => Number(at))]
      .sort(([a], [b]) => a - b)
      .map(([at, bins]) => ({ start: new Date(at * 1000), ...figuresOf(bins) })),
    routes: [...groupsOf(byRoute, ({ method, route }) => `${method} ${route}`).values()]
      .map((bins) => ({ method: bins[0]?.method ?? '', route: bins[0]?.route ?? '', ...figuresOf(bins) }))
      .sort((a, b) => b.count - a.count),
    statuses: statuses.rows,
    keys: keys?.rows ?? null,
  };
}

function intervalFor({ from, to }: StatsQuestion): number {
  const seconds = (to.getTime() - from.getTime()) / 1000;
  const period = periods.find(({ enough }) => seconds <= enough)?.period ?? day;
  const fitting = intervals.filter((interval) => interval % period === 0);
  return fitting.find((interval) => seconds / interval <= intervalsWanted) ?? (fitting.at(-1) as number);
}

/** The columns are in UTC without saying so, where `pg` would write local time. */
function withoutZone(time: Date): string {
  return time.toISOString().slice(0, -1);
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

function figuresOf(bins: Bin[]): Figures {
  const histogram = new Map<number, number>();
  for (const { bucket, count } of bins) histogram.set(Number(bucket), (histogram.get(Number(bucket)) ?? 0) + count);
  const sum = (of: (bin: Bin) => number) => bins.reduce((total, bin) => total + of(bin), 0);
  return {
    count: sum(({ count }) => count),
    errors: sum(({ errors }) => errors ?? 0),
    p50: rounded(histogram, 0.5),
    p95: rounded(histogram, 0.95),
    p99: rounded(histogram, 0.99),
  };
}

/** Three digits say all that there is to say to within 20 %. */
function rounded(histogram: Histogram, share: number): number | null {
  const quantile = quantileOf(histogram, share);
  return quantile === null ? null : Number(quantile.toPrecision(3));
}
