import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from '@sinclair/typebox';
import { adminScope } from '../plugins/api-keys/index.js';
import { keySecurity } from '../plugins/openapi.js';
import { badField } from '../plugins/problem-details/bad-field.js';
import { problems } from '../plugins/problem-details/schema.js';
import { keyStatsOf, mostKeys } from '../plugins/request-log/key-stats.js';
import { statsOf } from '../plugins/request-log/stats.js';
import { hour, type StatsRange } from '../plugins/request-log/stats-range.js';
import { GivenTimestamp, Id, nullable, Timestamp } from './fields.js';

const dayMs = 86_400_000;
const minuteMs = 60_000;

/** No answer has more intervals: of all requests, and of each of a hundred keys. */
const longestSeries = 1_500;
const longestKeySeries = 200;

const apiKeyId = '019b8a11-5d20-7b0c-a1c4-0e8f7d6b5a49';

const range = {
  from: Type.Optional({ ...GivenTimestamp, description: 'A day before `to`, if not given' }),
  to: Type.Optional({ ...GivenTimestamp, description: 'Now, if not given' }),
  interval: Type.Optional(
    Type.Integer({
      minimum: 60,
      maximum: 31 * 86_400,
      multipleOf: 60,
      description:
        'Seconds, in whole minutes, or in whole hours for what is older than the rows are kept; if not given, what makes up to a hundred intervals: of hours beyond six hours, of days beyond two weeks',
    }),
  ),
};

const Question = Type.Object(
  {
    ...range,
    route: Type.Optional(
      Type.String({
        maxLength: 1024,
        description: 'A template such as /v1/api-keys/:id; empty: where none matched',
        examples: ['/v1/api-keys/:id'],
      }),
    ),
    method: Type.Optional(Type.String({ pattern: '^[A-Z-]{1,32}$', examples: ['GET'] })),
    statusCode: Type.Optional(Type.Integer({ minimum: 100, maximum: 599, examples: [500] })),
  },
  { additionalProperties: false },
);

const KeyQuestion = Type.Object(
  {
    ...range,
    apiKeyId: Type.Optional(
      // An example within a parameter would not become one of OpenAPI.
      Type.Array(
        { ...Id, examples: undefined },
        {
          maxItems: mostKeys,
          examples: [[apiKeyId]],
          description: 'Of which keys, as often as wanted; of the busiest, if not given',
        },
      ),
    ),
  },
  { additionalProperties: false },
);

const Count = Type.Integer({ description: 'Requests' });
const Errors = Type.Integer({ description: 'Those answered with 500 or more' });
const Percentile = nullable(Type.Number(), { description: 'Milliseconds, to within 20 %' });
const figures = { count: Count, errors: Errors, p50: Percentile, p95: Percentile, p99: Percentile };

const intervals = {
  from: { ...Timestamp, description: 'The beginning of the first interval' },
  to: { ...Timestamp, description: 'The end of the last interval' },
  interval: Type.Integer({ description: 'Seconds' }),
};

const exampleCounts = { count: 120, errors: 1 };
const exampleFigures = { ...exampleCounts, p50: 1.2, p95: 4.8, p99: 12.1 };
const exampleIntervals = { from: '2026-01-31T09:00:00.000Z', to: '2026-01-31T10:00:00.000Z', interval: 60 };
const start = '2026-01-31T09:30:00.000Z';

const Stats = Type.Object(
  {
    ...intervals,
    total: Type.Object(figures),
    series: Type.Array(Type.Object({ start: Timestamp, ...figures }), { description: 'Intervals that had requests' }),
    routes: Type.Array(Type.Object({ method: Type.String(), route: Type.String(), ...figures }), {
      description: 'The busiest first',
    }),
    statuses: Type.Array(Type.Object({ statusCode: Type.Integer(), count: Count })),
    keys: nullable(Type.Array(Type.Object({ apiKeyId: Type.String(), count: Count, errors: Errors })), {
      description:
        'The hundred busiest; null where a route, method or status was asked for, which keys are not counted by',
    }),
  },
  {
    description: 'The statistics',
    examples: [
      {
        ...exampleIntervals,
        total: exampleFigures,
        series: [{ start, ...exampleFigures }],
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
          description: 'Intervals that had requests',
        }),
      }),
      { description: 'The busiest first, at most a hundred; keys without requests are left out' },
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
      onRequest: app.requireApiKey(adminScope),
      schema: {
        tags: ['request log'],
        operationId: 'getRequestStats',
        summary: 'How many requests, how many errors, how long they took',
        description:
          'From statistics by minute or, where the interval is whole hours or days, by hour or day. They are as exact as the rows. The percentiles of several routes leave out exports and streams of the log, which last as long as their clients like.',
        security: keySecurity,
        querystring: Question,
        response: { 200: Stats, ...problems(400, 401, 403, 429, 500, 503) },
      },
    },
    async (request) => {
      const { from, to, interval, ...filter } = request.query;
      return statsOf(app.database.pool, { ...filter, ...rangeOf({ from, to, interval }, longestSeries) });
    },
  );

  app.get(
    '/v1/request-logs/stats/keys',
    {
      onRequest: app.requireApiKey(adminScope),
      schema: {
        tags: ['request log'],
        operationId: 'getKeyStats',
        summary: 'How many requests each key made over time',
        description:
          'From the same statistics: by minute or, where the interval is whole hours or days, by hour or day.',
        security: keySecurity,
        querystring: KeyQuestion,
        response: { 200: KeyStats, ...problems(400, 401, 403, 429, 500, 503) },
      },
    },
    async (request) => {
      const { apiKeyId: apiKeyIds, ...range } = request.query;
      return keyStatsOf(app.database.pool, { apiKeyIds, ...rangeOf(range, longestKeySeries) });
    },
  );

  /** @throws BadFieldError when it is empty, has more intervals than `mostIntervals`, or shorter ones than there are */
  function rangeOf({ from, to, interval }: GivenRange, mostIntervals: number): StatsRange {
    const { minutesSince } = app.requestLog;
    const end = to === undefined ? new Date() : new Date(to);
    const start = from === undefined ? new Date(end.getTime() - dayMs) : new Date(from);
    const lengthMs = end.getTime() - start.getTime();
    if (!(lengthMs > 0)) throw badField('/querystring/from', 'must be before /querystring/to');
    if (interval !== undefined) {
      const least = Math.ceil(lengthMs / mostIntervals / minuteMs) * 60;
      if (interval < least) throw badField('/querystring/interval', `must be at least ${least} for this range`);
      if (start < minutesSince && interval % hour !== 0)
        throw badField('/querystring/interval', `must be whole hours before ${minutesSince.toISOString()}`);
    }
    return { from: start, to: end, interval, minutesSince };
  }
};

interface GivenRange {
  from?: string | undefined;
  to?: string | undefined;
  interval?: number | undefined;
}
