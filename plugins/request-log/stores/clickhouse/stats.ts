import { type KeyStats, type KeyStatsQuery, keyStatsOf, maxKeys } from '../../key-stats.js';
import { maxBusiestKeys, type Stats, type StatsFigures, type StatsQuery, statsOf, streamRoutes } from '../../stats.js';
import { roundedRange, type StatsRange } from '../../stats-range.js';
import { statusRangeOf } from '../../status-range.js';
import {
  type LimitedKeys,
  limitedKeysOf,
  maxLimitedKeys,
  maxOwners,
  type OwnerUsage,
  ownersOf,
  type Usage,
  type UsageQuery,
  usageOf,
} from '../../usage.js';
import type { ClickHouse, Parameters } from './client.js';
import { conditionOfPieces, isManagementRoute } from './conditions.js';

type Row<Name extends keyof StatsFigures> = NonNullable<StatsFigures[Name]>[number];

/** The number of the interval, since 1970. */
const at = (interval: number) => `intDiv(toUnixTimestamp(start), ${interval})`;
const bins = 'ARRAY JOIN mapKeys(bins) AS bucket, mapValues(bins) AS requests';

/** Reads the statistics. The time does not depend on the number of logged requests. */
export async function readStats(clickHouse: ClickHouse, query: StatsQuery): Promise<Stats> {
  const { route, method, statusCode, excludeManagement } = query;
  const range = roundedRange(query);
  const { interval, durationInterval } = range;
  const { lowest, highest } = statusRangeOf(statusCode ?? '>=100');
  const parameters: Parameters = {
    ...{ lowest, highest },
    ...(route !== undefined && { route }),
    ...(method !== undefined && { method }),
  };
  const filter = [
    'statusCode BETWEEN {lowest:Int32} AND {highest:Int32}',
    ...(route === undefined ? [] : ['route = {route:String}']),
    ...(method === undefined ? [] : ['method = {method:String}']),
    ...(excludeManagement ? [`(method != 'GET' OR NOT ${isManagementRoute})`] : []),
  ].join(' AND ');
  const from = (pieces: typeof range.series, more = '') =>
    `FROM request_stats WHERE ${conditionOfPieces(pieces)} AND ${filter}${more}`;
  const withoutStreams = route === undefined ? ` AND route NOT IN (${streamRoutes.map((name) => `'${name}'`)})` : '';
  const isFiltered = [route, method, statusCode].some((value) => value !== undefined);
  const [counts, durationBins, routeCounts, routeBins, keys] = await Promise.all([
    clickHouse.rows<Row<'counts'>>(
      `SELECT ${at(interval)} AS at, intDiv(statusCode, 100) AS class, sum(count) AS count
       ${from(range.series)} GROUP BY at, class ORDER BY at`,
      parameters,
    ),
    clickHouse.rows<Row<'durationBins'>>(
      `SELECT at, bucket, requests AS count FROM (
         SELECT ${at(durationInterval)} AS at, sumMap(histogram) AS bins ${from(range.durations, withoutStreams)} GROUP BY at
       ) ${bins}`,
      parameters,
    ),
    clickHouse.rows<Row<'routeCounts'>>(
      `SELECT method, route, statusCode, sum(count) AS count ${from(range.total)} GROUP BY method, route, statusCode`,
      parameters,
    ),
    clickHouse.rows<Row<'routeBins'>>(
      `SELECT method, route, bucket, requests AS count FROM (
         SELECT method, route, sumMap(histogram) AS bins ${from(range.total)} GROUP BY method, route
       ) ${bins}`,
      parameters,
    ),
    isFiltered
      ? null
      : clickHouse.rows<Row<'keys'>>(
          `SELECT apiKeyId, sum(count) AS count, sum(errors) AS errors FROM request_stats_by_key
           WHERE ${conditionOfPieces(range.total)} GROUP BY apiKeyId ORDER BY sum(count) DESC, apiKeyId LIMIT ${maxBusiestKeys}`,
        ),
  ]);
  return statsOf(query, range, { counts, durationBins, routeCounts, routeBins, keys });
}

/** @see RequestLogReader.keyStats */
export async function readKeyStats(clickHouse: ClickHouse, query: KeyStatsQuery): Promise<KeyStats> {
  const range = roundedRange(query);
  const { apiKeyIds } = query;
  const rows = await clickHouse.rows<{ apiKeyId: string; at: number; count: number; errors: number }>(
    `WITH counts AS (
       SELECT apiKeyId, ${at(range.interval)} * ${range.interval} AS at, sum(count) AS n, sum(errors) AS failed
       FROM request_stats_by_key
       WHERE ${conditionOfPieces(range.series)}${apiKeyIds ? ' AND apiKeyId IN {apiKeyIds:Array(String)}' : ''}
       GROUP BY apiKeyId, at
     ), busiest AS (
       SELECT apiKeyId, sum(n) AS total FROM counts GROUP BY apiKeyId ORDER BY total DESC, apiKeyId LIMIT ${maxKeys}
     )
     SELECT apiKeyId, at, n AS count, failed AS errors FROM counts JOIN busiest USING (apiKeyId) ORDER BY total DESC, apiKeyId, at`,
    apiKeyIds ? { apiKeyIds } : {},
  );
  return keyStatsOf(range, rows);
}

/** @see RequestLogReader.usage */
export async function readUsage(clickHouse: ClickHouse, { apiKeyId, ownerId, ...query }: UsageQuery): Promise<Usage> {
  const range = roundedRange(query);
  const conditions = [
    conditionOfPieces(range.series),
    ...(apiKeyId === undefined ? [] : ['apiKeyId = {apiKeyId:String}']),
    ...(ownerId === undefined ? [] : ['ownerId = {ownerId:String}']),
  ];
  const rows = await clickHouse.rows<{ at: number; outcome: string; count: number }>(
    `SELECT ${at(range.interval)} * ${range.interval} AS at, outcome, sum(count) AS count FROM key_usage
     WHERE ${conditions.join(' AND ')} GROUP BY at, outcome ORDER BY at, outcome`,
    { ...(apiKeyId !== undefined && { apiKeyId }), ...(ownerId !== undefined && { ownerId }) },
  );
  return usageOf(range, rows);
}

/** @see RequestLogReader.owners */
export async function readOwners(clickHouse: ClickHouse, query: StatsRange): Promise<OwnerUsage> {
  const range = roundedRange(query);
  const rows = await clickHouse.rows<{ ownerId: string; outcome: string; count: number }>(
    `WITH counts AS (
       SELECT ownerId, outcome, sum(count) AS n FROM key_usage
       WHERE ${conditionOfPieces(range.total)} AND ownerId != '' GROUP BY ownerId, outcome
     ), busiest AS (
       SELECT ownerId, sum(n) AS total FROM counts GROUP BY ownerId ORDER BY total DESC, ownerId LIMIT ${maxOwners}
     )
     SELECT ownerId, outcome, n AS count FROM counts JOIN busiest USING (ownerId) ORDER BY total DESC, ownerId, outcome`,
  );
  return ownersOf(range, rows);
}

/** @see RequestLogReader.limitedKeys */
export async function readLimitedKeys(clickHouse: ClickHouse, query: StatsRange): Promise<LimitedKeys> {
  const range = roundedRange(query);
  const rows = await clickHouse.rows<{ apiKeyId: string; ownerId: string; rateLimited: number; quotaExceeded: number }>(
    `SELECT apiKeyId, max(ownerId) AS ownerId, sumIf(count, outcome = 'RATE_LIMITED') AS rateLimited,
       sumIf(count, outcome = 'QUOTA_EXCEEDED') AS quotaExceeded
     FROM key_usage WHERE ${conditionOfPieces(range.total)} AND outcome IN ('RATE_LIMITED', 'QUOTA_EXCEEDED')
     GROUP BY apiKeyId ORDER BY rateLimited + quotaExceeded DESC, apiKeyId LIMIT ${maxLimitedKeys}`,
  );
  return limitedKeysOf(range, rows);
}
