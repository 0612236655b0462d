import type { DatabaseHandle } from '../database/index.js';
import { type Histogram, quantileOf } from './histogram.js';
import { managementPaths } from './management.js';
import { type Pieces, piecesOf, roundedRange, type StatsRange } from './stats-range.js';
import { statusRangeOf } from './status-range.js';

export interface StatsQuery extends StatsRange {
  route?: string | undefined;
  method?: string | undefined;
  /** A status, a class such as `5xx`, or a bound such as `>=400`. */
  statusCode?: number | string | undefined;
  /** Whether to leave out requests that only read the management API. */
  excludeManagement?: boolean | undefined;
}

export interface Figures {
  count: number;
  /** Responses with a status of 500 or more. */
  errors: number;
  /** Requests by class of status, such as `2xx`. Classes without requests are left out. */
  statusClasses: Record<string, number>;
  /** Milliseconds; null without requests. */
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

const busiestKeys = 100;

/** Streams, whose duration depends on the client. */
const openEnded = '/v1/request-logs/export,/v1/request-logs/stream,/v1/api-keys/export';

/** Rows that match the filter: the parameters from `$4`. */
const filtered = (schema: string) => `${piecesOf(`${schema}.request_stats`)}
    AND ($4::text IS NULL OR route = $4) AND ($5::text IS NULL OR method = $5)
    AND "statusCode" BETWEEN $6::int AND $7::int
    AND ($8::text[] IS NULL OR method <> 'GET' OR route NOT LIKE ALL ($8))`;

/**
 * Sums each bin of the histograms by group. Streams are left out of durations, unless the query is about them.
 *
 * @param group columns, or an expression with a name
 */
const binsOf = (schema: string, group: string, groupNames = group) => `
  SELECT ${group}, "statusCode" / 100 AS class, bin & 127 AS bucket, sum(bin >> 7)::float8 AS count,
    sum(bin >> 7) FILTER (WHERE $4::text IS NOT NULL OR route <> ALL ('{${openEnded}}'))::float8 AS timed
  FROM ${filtered(schema)}, unnest(histogram) AS bin
  GROUP BY ${groupNames}, class, bucket`;

const seriesOf = (schema: string) => binsOf(schema, 'extract(epoch FROM start)::int / $9::int AS at', 'at');

const statusesOf = (schema: string) => `
  SELECT "statusCode", sum(count)::float8 AS count FROM ${filtered(schema)} GROUP BY 1 ORDER BY 1`;

const keysOf = (schema: string) => `
  SELECT "apiKeyId", sum(count)::float8 AS count, sum(errors)::float8 AS errors
  FROM ${piecesOf(`${schema}.request_stats_by_key`)}
  GROUP BY 1 ORDER BY count DESC, 1 LIMIT ${busiestKeys}`;

interface Bin {
  /** The first digit of the status. */
  class: number;
  bucket: string;
  count: number;
  /** The bins with durations; null without any. */
  timed: number | null;
}

/** Reads the statistics. The time does not depend on the number of logged requests. */
export async function statsOf(
  { pool, quotedSchema }: Pick<DatabaseHandle, 'pool' | 'quotedSchema'>,
  query: StatsQuery,
) {
  const { route, method, statusCode, excludeManagement } = query;
  const { from, to, interval, series, total } = roundedRange(query);
  const { lowest, highest } = statusRangeOf(statusCode ?? '>=100');
  const excluded = excludeManagement ? managementPaths.map((start) => `${start}%`) : null;
  const filter = [route ?? null, method ?? null, lowest, highest, excluded];
  const isFiltered = [route, method, statusCode].some((value) => value !== undefined);
  const read = <Row extends object>(text: string, pieces: Pieces, ...rest: unknown[]) =>
    pool.query<Row>(text, [...pieces, ...rest]);
  const [byTime, byRoute, statuses, keys] = await Promise.all([
    read<Bin & { at: number }>(seriesOf(quotedSchema), series, ...filter, interval),
    read<Bin & { method: string; route: string }>(binsOf(quotedSchema, 'method, route'), total, ...filter),
    read<{ statusCode: number; count: number }>(statusesOf(quotedSchema), total, ...filter),
    isFiltered ? undefined : read<{ apiKeyId: string; count: number; errors: number }>(keysOf(quotedSchema), total),
  ]);

  return {
    from,
    to,
    interval,
    total: figuresOf(byRoute.rows, timedOf),
    series: [...groupsOf(byTime.rows, ({ at }) => at)]
      .sort(([a], [b]) => a - b)
      .map(([at, bins]) => ({ start: new Date(at * interval * 1000), ...figuresOf(bins, timedOf) })),
    routes: [...groupsOf(byRoute.rows, ({ method, route }) => `${method} ${route}`).values()]
      .map((bins) => ({ method: bins[0]?.method ?? '', route: bins[0]?.route ?? '', ...figuresOf(bins, countOf) }))
      .sort((a, b) => b.count - a.count),
    statuses: statuses.rows,
    keys: keys?.rows ?? null,
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

const countOf = ({ count }: Bin) => count;
const timedOf = ({ timed }: Bin) => timed ?? 0;

/** @param weightOf how many durations each bin has */
function figuresOf(bins: Bin[], weightOf: (bin: Bin) => number): Figures {
  const histogram = new Map<number, number>();
  for (const bin of bins) {
    const bucket = Number(bin.bucket);
    histogram.set(bucket, (histogram.get(bucket) ?? 0) + weightOf(bin));
  }
  const statusClasses: Record<string, number> = {};
  for (const { class: digit, count } of bins.toSorted((a, b) => a.class - b.class))
    statusClasses[`${digit}xx`] = (statusClasses[`${digit}xx`] ?? 0) + count;
  return {
    count: bins.reduce((total, { count }) => total + count, 0),
    errors: statusClasses['5xx'] ?? 0,
    statusClasses,
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
