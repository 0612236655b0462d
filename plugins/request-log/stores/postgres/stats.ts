import type { DatabaseHandle } from '../../../database/index.js';
import { managementRoutes } from '../../management.js';
import { maxBusiestKeys, type Stats, type StatsFigures, type StatsQuery, statsOf, streamRoutes } from '../../stats.js';
import { roundedRange } from '../../stats-range.js';
import { statusRangeOf } from '../../status-range.js';
import { conditionOf } from './range-condition.js';

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
  WHERE $1::text IS NOT NULL OR route <> ALL ('{${streamRoutes}}') GROUP BY 1, 2`;

const binsByRouteOf = (schema: string, range: string) => `
  SELECT method, route, bin & 127 AS bucket, sum(bin >> 7)::float8 AS count
  FROM (${filtered(schema, range)}) AS stats, unnest(histogram) AS bin GROUP BY 1, 2, 3`;

const routesOf = (schema: string, range: string) => `
  SELECT method, route, "statusCode", sum(count)::float8 AS count
  FROM (${filtered(schema, range)}) AS stats GROUP BY 1, 2, 3`;

const keysOf = (schema: string, range: string) => `
  SELECT "apiKeyId", sum(count)::float8 AS count, sum(errors)::float8 AS errors
  FROM ${schema}.request_stats_by_key WHERE ${range}
  GROUP BY 1 ORDER BY count DESC, 1 LIMIT ${maxBusiestKeys}`;

type Row<Name extends keyof StatsFigures> = NonNullable<StatsFigures[Name]>[number];

/** Reads the statistics. The time does not depend on the number of logged requests. */
export async function readStats(
  { pool, quotedSchema }: Pick<DatabaseHandle, 'pool' | 'quotedSchema'>,
  query: StatsQuery,
): Promise<Stats> {
  const { route, method, statusCode, excludeManagement } = query;
  const range = roundedRange(query);
  const { interval, durationInterval } = range;
  const [series, durations, total] = [range.series, range.durations, range.total].map(conditionOf) as [
    string,
    string,
    string,
  ];
  const { lowest, highest } = statusRangeOf(statusCode ?? '>=100');
  const excluded = excludeManagement ? managementRoutes.flatMap((start) => [start, `${start}/%`]) : null;
  const isFiltered = [route, method, statusCode].some((value) => value !== undefined);
  const read = async <Row extends object>(text: string) =>
    (await pool.query<Row>(text, [route ?? null, method ?? null, lowest, highest, excluded])).rows;
  const [counts, durationBins, routeCounts, routeBins, keys] = await Promise.all([
    read<Row<'counts'>>(countsOf(quotedSchema, series, interval)),
    read<Row<'durationBins'>>(binsByTimeOf(quotedSchema, durations, durationInterval)),
    read<Row<'routeCounts'>>(routesOf(quotedSchema, total)),
    read<Row<'routeBins'>>(binsByRouteOf(quotedSchema, total)),
    isFiltered ? null : pool.query<Row<'keys'>>(keysOf(quotedSchema, total)).then(({ rows }) => rows),
  ]);
  return statsOf(query, range, { counts, durationBins, routeCounts, routeBins, keys });
}
