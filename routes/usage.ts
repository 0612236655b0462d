import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from '@sinclair/typebox';
import { keysRead } from '../plugins/api-keys/index.js';
import { ownerIdPattern } from '../plugins/api-keys/key-fields.js';
import { keySecurity } from '../plugins/openapi.js';
import { badField } from '../plugins/problem-details/bad-field.js';
import { problems } from '../plugins/problem-details/schema.js';
import { maxLimitedKeys, maxOwners } from '../plugins/request-log/usage.js';
import { described, Id, nullable, Timestamp } from './fields.js';
import { intervals, statsRange, statsRangeOf } from './stats-range.js';

const maxIntervals = 1_500;
const { interval: _, ...wholeRange } = statsRange;

const usage = {
  count: Type.Integer({ description: 'Checks of keys' }),
  outcomes: Type.Record(Type.String(), Type.Integer(), {
    description:
      'Checks by outcome: VALID, RATE_LIMITED, QUOTA_EXCEEDED, EXPIRED, DISABLED, IP_NOT_ALLOWED, INSUFFICIENT_SCOPE. Outcomes without checks are left out',
  }),
};
const exampleUsage = { count: 120, outcomes: { VALID: 117, RATE_LIMITED: 3 } };
const exampleRange = { from: '2026-01-31T00:00:00.000Z', to: '2026-02-01T00:00:00.000Z' };

const UsageQuerystring = Type.Object(
  {
    apiKeyId: Type.Optional(described(Id, 'The key')),
    ownerId: Type.Optional(
      Type.String({
        pattern: ownerIdPattern,
        description: 'The owner of the keys at the time of the check',
        examples: ['customer-4711'],
      }),
    ),
    ...statsRange,
  },
  { additionalProperties: false },
);
const Usage = Type.Object(
  {
    ...intervals,
    total: Type.Object(usage),
    series: Type.Array(Type.Object({ start: Timestamp, ...usage }), { description: 'Intervals with checks' }),
  },
  {
    description: 'The usage',
    examples: [
      {
        ...exampleRange,
        interval: 3_600,
        total: exampleUsage,
        series: [{ start: '2026-01-31T09:00:00.000Z', ...exampleUsage }],
      },
    ],
  },
);
export type Usage = Static<typeof Usage>;

const OwnerUsage = Type.Object(
  {
    from: described(Timestamp, 'The start of the first interval'),
    to: described(Timestamp, 'The end of the last interval'),
    owners: Type.Array(Type.Object({ ownerId: Type.String(), ...usage }), {
      description: `Busiest first, at most ${maxOwners}`,
    }),
  },
  {
    description: 'The busiest owners',
    examples: [{ ...exampleRange, owners: [{ ownerId: 'customer-4711', ...exampleUsage }] }],
  },
);
export type OwnerUsage = Static<typeof OwnerUsage>;

const LimitedKeys = Type.Object(
  {
    from: described(Timestamp, 'The start of the first interval'),
    to: described(Timestamp, 'The end of the last interval'),
    keys: Type.Array(
      Type.Object({
        apiKeyId: Id,
        ownerId: nullable(Type.String()),
        rateLimited: Type.Integer({ description: 'Requests that a rate limit denied' }),
        quotaExceeded: Type.Integer({ description: 'Requests that a quota denied' }),
      }),
      { description: `Most often denied first, at most ${maxLimitedKeys}` },
    ),
  },
  {
    description: 'The limited keys',
    examples: [
      {
        ...exampleRange,
        keys: [
          {
            ...{ apiKeyId: '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07', ownerId: 'customer-4711' },
            ...{ rateLimited: 17, quotaExceeded: 0 },
          },
        ],
      },
    ],
  },
);
export type LimitedKeys = Static<typeof LimitedKeys>;

/** How often keys were checked: by routes of this service, by `verify` and by `/v1/auth`. */
export const usageRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addHook('onRequest', app.requireApiKey(keysRead));
  const schema = { tags: ['usage'], security: keySecurity };
  const errorResponses = problems(400, 401, 403, 429, 500, 503);

  app.get(
    '/v1/usage',
    {
      schema: {
        ...schema,
        operationId: 'getUsage',
        summary: 'Get the usage of a key or an owner over time',
        description:
          'Counts each check of the key, whether by a route, by `verify` or by `/v1/auth`. Counts are exact, also after an outage or a restart. Requires `apiKeyId` or `ownerId`.',
        querystring: UsageQuerystring,
        response: { 200: Usage, ...errorResponses },
      },
    },
    async (request) => {
      const { apiKeyId, ownerId, ...range } = request.query;
      if (apiKeyId === undefined && ownerId === undefined)
        throw badField('/querystring/ownerId', 'or /querystring/apiKeyId is required');
      return app.requestLog.reader.usage({ apiKeyId, ownerId, ...statsRangeOf(app, range, maxIntervals) });
    },
  );

  app.get(
    '/v1/usage/owners',
    {
      schema: {
        ...schema,
        operationId: 'listUsageOwners',
        summary: 'List the busiest owners',
        querystring: Type.Object(wholeRange, { additionalProperties: false }),
        response: { 200: OwnerUsage, ...errorResponses },
      },
    },
    (request) => app.requestLog.reader.owners(statsRangeOf(app, request.query, maxIntervals)),
  );

  app.get(
    '/v1/usage/limited',
    {
      schema: {
        ...schema,
        operationId: 'listLimitedKeys',
        summary: 'List the keys that limits and quotas denied most often',
        querystring: Type.Object(wholeRange, { additionalProperties: false }),
        response: { 200: LimitedKeys, ...errorResponses },
      },
    },
    (request) => app.requestLog.reader.limitedKeys(statsRangeOf(app, request.query, maxIntervals)),
  );
};
