import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from '@sinclair/typebox';
import { logsRead } from '../plugins/api-keys/index.js';
import { keySecurity } from '../plugins/openapi.js';
import { problems } from '../plugins/problem-details/schema.js';
import { maxKeys } from '../plugins/request-log/key-stats.js';
import { idList, nullable, Timestamp } from './fields.js';
import { ExcludeManagement, StatusFilter } from './request-log-fields.js';
import { intervals, statsRange, statsRangeOf } from './stats-range.js';

/** The largest number of intervals in a response, for all requests and for a hundred keys. */
const maxStatsIntervals = 1_500;
const maxKeyStatsIntervals = 200;

const apiKeyId = '019b8a11-5d20-7b0c-a1c4-0e8f7d6b5a49';

const StatsQuerystring = Type.Object(
  {
    ...statsRange,
    route: Type.Optional(
      Type.String({
        maxLength: 1024,
        description: 'A template such as /v1/api-keys/:id; empty: requests that no route matched',
        examples: ['/v1/api-keys/:id'],
      }),
    ),
    method: Type.Optional(Type.String({ pattern: '^[A-Z-]{1,32}$', examples: ['GET'] })),
    statusCode: Type.Optional(StatusFilter),
    excludeManagement: Type.Optional(ExcludeManagement),
  },
  { additionalProperties: false },
);

const KeyStatsQuerystring = Type.Object(
  {
    ...statsRange,
    apiKeyId: Type.Optional(idList(maxKeys, 'The ids of keys, repeated; default: the busiest keys')),
  },
  { additionalProperties: false },
);

const Count = Type.Integer({ description: 'Requests' });
const Errors = Type.Integer({ description: 'Responses with a status of 500 or more' });
const Percentile = nullable(Type.Number(), { description: 'Milliseconds, with an error of up to 20 %' });
const StatusClasses = Type.Record(Type.String(), Type.Integer(), {
  description: 'Requests by class of status; classes without requests are left out',
});
const percentiles = { p50: Percentile, p95: Percentile, p99: Percentile };
const figures = {
  count: Count,
  errors: Errors,
  statusClasses: StatusClasses,
  ...percentiles,
};

const exampleCounts = { count: 120, errors: 1 };
const exampleFigures = { ...exampleCounts, statusClasses: { '2xx': 119, '5xx': 1 }, p50: 1.2, p95: 4.8, p99: 12.1 };
const exampleIntervals = { from: '2026-01-31T09:00:00.000Z', to: '2026-01-31T10:00:00.000Z', interval: 60 };
const start = '2026-01-31T09:30:00.000Z';

const Stats = Type.Object(
  {
    ...intervals,
    total: Type.Object(figures),
    series: Type.Array(Type.Object({ start: Timestamp, ...figures }), {
      description:
        'Intervals with requests. With `exact` and a range over 6 hours, intervals under an hour have no percentiles',
    }),
    durations: Type.Object(
      {
        interval: Type.Integer({ description: 'Seconds' }),
        series: Type.Array(Type.Object({ start: Timestamp, ...percentiles }), {
          description: 'Intervals with requests',
        }),
      },
      { description: 'The percentiles over time' },
    ),
    routes: Type.Array(Type.Object({ method: Type.String(), route: Type.String(), ...figures }), {
      description: 'Busiest first',
    }),
    statuses: Type.Array(Type.Object({ statusCode: Type.Integer(), count: Count })),
    keys: nullable(Type.Array(Type.Object({ apiKeyId: Type.String(), count: Count, errors: Errors })), {
      description:
        'The hundred busiest keys; null when the query has a route, method or status, which the statistics of keys do not have; includes management requests',
    }),
  },
  {
    description: 'The statistics',
    examples: [
      {
        ...exampleIntervals,
        total: exampleFigures,
        series: [{ start, ...exampleFigures }],
        durations: { interval: 60, series: [{ start, p50: 1.2, p95: 4.8, p99: 12.1 }] },
        routes: [{ method: 'GET', route: '/v1/me', ...exampleFigures }],
        statuses: [
          { statusCode: 200, count: 119 },
          { statusCode: 500, count: 1 },
        ],
        keys: [{ apiKeyId, ...exampleCounts }],
      },
    ],
  },
);
export type Stats = Static<typeof Stats>;

const KeyStats = Type.Object(
  {
    ...intervals,
    keys: Type.Array(
      Type.Object({
        apiKeyId: Type.String(),
        count: Count,
        errors: Errors,
        series: Type.Array(Type.Object({ start: Timestamp, count: Count, errors: Errors }), {
          description: 'Intervals with requests',
        }),
      }),
      { description: 'Busiest first, at most a hundred; keys without requests are left out' },
    ),
  },
  {
    description: 'The statistics',
    examples: [{ ...exampleIntervals, keys: [{ apiKeyId, ...exampleCounts, series: [{ start, ...exampleCounts }] }] }],
  },
);
export type KeyStats = Static<typeof KeyStats>;

/** Statistics by time, route, status and key. */
export const requestStatsRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/v1/request-logs/stats',
    {
      onRequest: app.requireApiKey(logsRead),
      schema: {
        tags: ['request log'],
        operationId: 'getRequestStats',
        summary: 'Requests, errors and durations over time',
        description:
          'Reads statistics by minute, or by hour or day when the interval is whole hours or days. Counts are exact. Percentiles over several routes exclude exports and streams of the log, whose duration depends on the client.',
        security: keySecurity,
        querystring: StatsQuerystring,
        response: { 200: Stats, ...problems(400, 401, 403, 429, 500, 503) },
      },
    },
    async (request) => {
      return app.requestLog.reader.stats({ ...request.query, ...statsRangeOf(app, request.query, maxStatsIntervals) });
    },
  );

  app.get(
    '/v1/request-logs/stats/keys',
    {
      onRequest: app.requireApiKey(logsRead),
      schema: {
        tags: ['request log'],
        operationId: 'getKeyStats',
        summary: 'Requests of each key over time',
        description: 'Reads statistics by minute, or by hour or day when the interval is whole hours or days.',
        security: keySecurity,
        querystring: KeyStatsQuerystring,
        response: { 200: KeyStats, ...problems(400, 401, 403, 429, 500, 503) },
      },
    },
    async (request) => {
      const { apiKeyId: apiKeyIds, ...range } = request.query;
      return app.requestLog.reader.keyStats({ apiKeyIds, ...statsRangeOf(app, range, maxKeyStatsIntervals) });
    },
  );
};
