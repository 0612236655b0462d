import createError from '@fastify/error';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { adminScope } from '../plugins/api-keys/index.js';
import { keySecurity } from '../plugins/openapi.js';
import { problems } from '../plugins/problem-details/schema.js';
import { longestSeries, type StatsQuestion, statsOf } from '../plugins/request-log/stats.js';
import { GivenTimestamp, Timestamp } from './fields.js';

const dayMs = 86_400_000;
const minuteMs = 60_000;

const Question = Type.Object(
  {
    from: Type.Optional({ ...GivenTimestamp, description: 'A day before `to`, if not given' }),
    to: Type.Optional({ ...GivenTimestamp, description: 'Now, if not given' }),
    interval: Type.Optional(
      Type.Integer({
        minimum: 60,
        maximum: 31 * 86_400,
        multipleOf: 60,
        description:
          'Seconds, in whole minutes; if not given, what makes up to a hundred intervals: of hours beyond six hours, of days beyond two weeks',
      }),
    ),
    route: Type.Optional(
      Type.String({ maxLength: 1024, description: 'A template such as /v1/api-keys/:id; empty: where none matched' }),
    ),
    method: Type.Optional(Type.String({ pattern: '^[A-Z-]{1,32}$' })),
    statusCode: Type.Optional(Type.Integer({ minimum: 100, maximum: 599 })),
  },
  { additionalProperties: false },
);

const Count = Type.Integer({ description: 'Requests' });
const Errors = Type.Integer({ description: 'Those answered with 500 or more' });
const Percentile = Type.Union([Type.Number(), Type.Null()], { description: 'Milliseconds, to within 20 %' });
const figures = { count: Count, errors: Errors, p50: Percentile, p95: Percentile, p99: Percentile };

const Stats = Type.Object({
  from: { ...Timestamp, description: 'The beginning of the first interval' },
  to: { ...Timestamp, description: 'The end of the last interval' },
  interval: Type.Integer({ description: 'Seconds' }),
  total: Type.Object(figures),
  series: Type.Array(Type.Object({ start: Timestamp, ...figures }), { description: 'Intervals that had requests' }),
  routes: Type.Array(Type.Object({ method: Type.String(), route: Type.String(), ...figures }), {
    description: 'The busiest first',
  }),
  statuses: Type.Array(Type.Object({ statusCode: Type.Integer(), count: Count })),
  keys: Type.Union([Type.Array(Type.Object({ apiKeyId: Type.String(), count: Count, errors: Errors })), Type.Null()], {
    description:
      'The hundred busiest; null where a route, method or status was asked for, which keys are not counted by',
  }),
});

const BadRange = createError('VALIDATION_FAILED', '%s', 400);

/** Statistics by time, route, status and key. */
export const requestStatsRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/v1/request-logs/stats',
    {
      onRequest: app.requireApiKey(adminScope),
      schema: {
        tags: ['request log'],
        summary: 'How many requests, how many errors, how long they took',
        description:
          'From statistics by minute or, where the interval is whole hours or days, by hour or day. They are as exact as the rows.',
        security: keySecurity,
        querystring: Question,
        response: { 200: Stats, ...problems(400, 401, 403, 429, 503) },
      },
    },
    async (request) => {
      const { from, to, ...rest } = request.query;
      const end = to === undefined ? new Date() : new Date(to);
      const start = from === undefined ? new Date(end.getTime() - dayMs) : new Date(from);
      return statsOf(app.database.pool, questionOf({ ...rest, from: start, to: end }));
    },
  );
};

function questionOf(question: StatsQuestion): StatsQuestion {
  const { from, to, interval } = question;
  const lengthMs = to.getTime() - from.getTime();
  if (!(lengthMs > 0)) throw new BadRange('querystring/from must be before querystring/to');
  if (interval !== undefined && lengthMs / (interval * 1000) > longestSeries)
    throw new BadRange(
      `querystring/interval must be at least ${Math.ceil(lengthMs / longestSeries / minuteMs) * 60} for this range`,
    );
  return question;
}
