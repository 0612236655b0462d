import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox';
import { keysRead } from '../plugins/api-keys/index.js';
import { eventActions, ownerIdPattern } from '../plugins/api-keys/key-fields.js';
import { keySecurity } from '../plugins/openapi.js';
import { problems } from '../plugins/problem-details/schema.js';
import { ApiKeyEvents } from './api-key-fields.js';
import { described, oneOf, Page, pageOf, TimestampInput } from './fields.js';

const Filter = Type.Object(
  {
    ...Page.properties,
    action: Type.Optional(oneOf(...eventActions)),
    actor: Type.Optional(oneOf('api-key', 'cli', 'service', 'sql')),
    ownerId: Type.Optional(
      Type.String({
        pattern: ownerIdPattern,
        description: 'The owner of the key after the change',
        examples: ['customer-4711'],
      }),
    ),
    from: Type.Optional(described(TimestampInput, 'At this time or later')),
    to: Type.Optional(described(TimestampInput, 'Before this time')),
  },
  { additionalProperties: false },
);

export const apiKeyEventRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/v1/events',
    {
      onRequest: app.requireApiKey(keysRead),
      schema: {
        tags: ['keys'],
        operationId: 'listEvents',
        summary: 'List the events of all keys, newest first',
        description: 'Also of deleted keys. Events are kept for API_KEY_EVENTS_RETENTION_DAYS.',
        security: keySecurity,
        querystring: Filter,
        response: { 200: ApiKeyEvents, ...problems(400, 401, 403, 429, 500, 503) },
      },
    },
    async (request) => {
      const { limit, from, to, ...filter } = request.query;
      const range = { from: from ? new Date(from) : undefined, to: to ? new Date(to) : undefined };
      return pageOf(await app.apiKeys.listEvents({ ...filter, ...range, limit: limit + 1 }), limit);
    },
  );
};
