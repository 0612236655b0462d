import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from '@sinclair/typebox';
import { actorOf } from '../plugins/api-keys/actor.js';
import { keysRead, keysWrite } from '../plugins/api-keys/index.js';
import { ownerIdPattern } from '../plugins/api-keys/key-fields.js';
import { keySecurity } from '../plugins/openapi.js';
import { problems } from '../plugins/problem-details/schema.js';
import { checkedBody } from './api-key-checks.js';
import { described, nullable } from './fields.js';
import { exampleQuota, QuotaInput, QuotaState, RateLimits, RateLimitsInput } from './limit-fields.js';

const OwnerParams = Type.Object({
  ownerId: Type.String({ pattern: ownerIdPattern, description: 'The owner', examples: ['customer-4711'] }),
});
const OwnerLimits = Type.Object(
  {
    ownerId: Type.String(),
    rateLimits: described(RateLimits, 'Empty: none'),
    quota: nullable(QuotaState, { description: 'Null: none' }),
  },
  {
    description: 'The limits of the owner',
    examples: [
      {
        ownerId: 'customer-4711',
        rateLimits: [{ name: 'second', limit: 50, windowSeconds: 1 }],
        quota: exampleQuota,
      },
    ],
  },
);
export type OwnerLimits = Static<typeof OwnerLimits>;

const OwnerLimitsChange = Type.Object(
  {
    rateLimits: Type.Optional(described(RateLimitsInput, 'Left out or empty: none')),
    quota: Type.Optional(nullable(QuotaInput, { description: 'Left out or null: none' })),
    resetQuota: Type.Optional(Type.Boolean({ description: 'Resets the quota to zero' })),
  },
  {
    additionalProperties: false,
    examples: [
      { rateLimits: [{ name: 'second', limit: 50, windowSeconds: 1 }], quota: { limit: 100_000, period: 'month' } },
    ],
  },
);

export const ownerLimitRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const schema = { tags: ['keys'], security: keySecurity, params: OwnerParams };
  const errorResponses = problems(400, 401, 403, 414, 429, 500, 503);

  app.get(
    '/v1/owners/:ownerId/limits',
    {
      onRequest: app.requireApiKey(keysRead),
      schema: {
        ...schema,
        operationId: 'getOwnerLimits',
        summary: 'Get the limits of an owner',
        description: 'They apply to all keys of the owner together, in addition to those of each key.',
        response: { 200: OwnerLimits, ...errorResponses },
      },
    },
    (request) => app.apiKeys.getOwnerLimits(request.params.ownerId),
  );

  app.put(
    '/v1/owners/:ownerId/limits',
    {
      onRequest: app.requireApiKey(keysWrite),
      schema: {
        ...schema,
        operationId: 'setOwnerLimits',
        summary: 'Set the limits of an owner',
        description:
          'Replaces all of them. They apply to all keys of the owner together, in addition to those of each key.',
        body: OwnerLimitsChange,
        response: { 200: OwnerLimits, ...errorResponses, ...problems(413, 415) },
      },
    },
    async (request) => {
      return app.apiKeys.setOwnerLimits(request.params.ownerId, checkedBody(request.body), actorOf(request));
    },
  );
};
