import type { DatabaseHandle } from '../database/index.js';
import { type Histogram, quantileOf } from './histogram.js';
import { managementRoutes } from './management.js';
import { roundedRange, type StatsRange } from './stats-range.js';
import { statusRangeOf } from './status-range.js';

export interface StatsQuery extends StatsRange {
  route?: string | undefined;
  method?: string | undefined;
  /** A status, a class such as `5xx`, or a bound such as `>=400`. */
  statusCode?: number | string | undefined;
  /** Whether to leave out requests that only read the management API. */
  excludeManagement?: boolean | undefined;
}

const busiestKeys = 100;

/** Streams, whose duration depends on the client. */
const openEnded = ['/v1/request-logs/export', '/v1/request-logs/stream', '/v1/api-keys/export'];

/** Rows of a range that match the filter: the parameters of a query. */
const filtered = (schema: string, range: string) => `
  SELECT * FROM ${schema}.request_stats
  WHERE ${range} AND ($1::text IS NULL OR route = $1) AND ($2::text IS NULL OR method = $2)
    AND "statusCode" BETWEEN $3::int AND $4::int
    AND ($5::text[] IS NULL OR method <> 'GET' OR route NOT LIKE ALL ($5))`;

/** The number of the interval, since 1970. */
const at = (interval: number) => `floor(date_part('epoch', start) / ${interval})`;

const countsOf = (schema: string, range: string, interval: number) => `
  SELECT ${at(interval)} AS at, "statusCode" / 100 AS class, sum(count)::float8 AS count
  FROM (${filtered(schema, range)}) AS stats GROUP BY 1, 2 ORDER BY 1`;

/** Sums each bin of the histograms by interval. Streams are left out, unless the query is about them. */
const binsByTimeOf = (schema: string, range: string, interval: number) => `
  SELECT ${at(interval)} AS at, bin & 127 AS bucket, sum(bin >> 7)::float8 AS count
  FROM (${filtered(schema, range)}) AS stats, unnest(histogram) AS bin
  WHERE $1::text IS NOT NULL OR route <> ALL ('{${openEnded}}') GROUP BY 1, 2`;

const binsByRouteOf = (schema: string, range: string) => `
  SELECT method, route, bin & 127 AS bucket, sum(bin >> 7)::float8 AS count
  FROM (${filtered(schema, range)}) AS stats, unnest(histogram) AS bin GROUP BY 1, 2, 3`;

const routesOf = (schema: string, range: string) => `
  SELECT method, route, "statusCode", sum(count)::float8 AS count
  FROM (${filtered(schema, range)}) AS stats GROUP BY 1, 2, 3`;

const keysOf = (schema: string, range: string) => `
  SELECT "apiKeyId", sum(count)::float8 AS count, sum(errors)::float8 AS errors
  FROM ${schema}.request_stats_by_key WHERE ${range}
  GROUP BY 1 ORDER BY count DESC, 1 LIMIT ${busiestKeys}`;

interface Bin {
  bucket: string;
  count: number;
}

/** Reads the statistics. The time does not depend on the number of logged requests. */
export async function statsOf(
  { pool, quotedSchema }: Pick<DatabaseHandle, 'pool' | 'quotedSchema'>,
  query: StatsQuery,
) {
  const { route, method, statusCode, excludeManagement } = query;
  const { from, to, interval, durationInterval, ...ranges } = roundedRange(query);
  const { lowest, highest } = statusRangeOf(statusCode ?? '>=100');
  const excluded = excludeManagement ? managementRoutes.flatMap((start) => [start, `${start}/%`]) : null;
  const isFiltered = [route, method, statusCode].some((value) => value !== undefined);
  const read = async <Row extends object>(text: string) =>
    (await pool.query<Row>(text, [route ?? null, method ?? null, lowest, highest, excluded])).rows;
  const [counts, durationBins, routeCounts, routeBins, keys] = await Promise.all([
    read<{ at: number; class: number; count: number }>(countsOf(quotedSchema, ranges.series, interval)),
    read<Bin & { at: number }>(binsByTimeOf(quotedSchema, ranges.durations, durationInterval)),
    read<{ method: string; route: string; statusCode: number; count: number }>(routesOf(quotedSchema, ranges.total)),
    read<Bin & { method: string; route: string }>(binsByRouteOf(quotedSchema, ranges.total)),
    isFiltered
      ? null
      : pool
          .query<{ apiKeyId: string; count: number; errors: number }>(keysOf(quotedSchema, ranges.total))
          .then(({ rows }) => rows),
  ]);

  const startOf = (at: number, interval: number) => new Date(at * interval * 1000);
  const percentilesByTime = new Map(
    [...groupsOf(durationBins, ({ at }) => at)].map(([at, bins]) => [at, percentilesOf(bins)]),
  );
  const percentilesByRoute = new Map(
    [...groupsOf(routeBins, nameOfRoute)].map(([name, bins]) => [name, percentilesOf(bins)]),
  );
  const timedBins = routeBins.filter(({ route: name }) => route !== undefined || !openEnded.includes(name));
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
      .sort((a, b) => b.count - a.count),
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
