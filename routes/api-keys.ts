import createError from '@fastify/error';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { actorOf } from '../plugins/api-keys/actor.js';
import { adminScope } from '../plugins/api-keys/index.js';
import { graceSeconds, highestRateLimit, namePattern, scopePattern } from '../plugins/api-keys/store.js';
import { keySecurity } from '../plugins/openapi.js';
import type { Prisma } from '../plugins/prisma/generated/client.js';
import { problems } from '../plugins/problem-details/schema.js';
import { defaulted, GivenTimestamp, Id, IdParams, Page, pageOf, Timestamp } from './fields.js';

const Name = Type.String({ pattern: namePattern, description: '1 to 100 characters' });
const Scopes = Type.Array(Type.String({ pattern: scopePattern }), {
  maxItems: 32,
  uniqueItems: true,
  description: 'What the key may do; admin opens everything',
});
const ExpiresAt = Type.Unsafe<string | null>({ ...GivenTimestamp, type: ['string', 'null'] });

const RateLimit = Type.Unsafe<number | null>({
  type: ['integer', 'null'],
  minimum: 1,
  maximum: highestRateLimit,
  description: 'Requests a minute; null: the default of the service',
});
const Neighbour = (description: string) => Type.Union([Id, Type.Null()], { description });

const record = {
  id: Id,
  start: Type.String({ description: 'The first characters of the key' }),
  name: Type.String(),
  scopes: Type.Array(Type.String()),
  active: Type.Boolean(),
  expiresAt: Type.Union([Timestamp, Type.Null()]),
  rateLimitPerMinute: Type.Union([Type.Integer(), Type.Null()]),
  replaces: Neighbour('The key that it was rotated from'),
  replacedBy: Neighbour('The key that it was rotated to'),
  createdAt: Timestamp,
  updatedAt: Timestamp,
  lastUsed: Type.Union([Timestamp, Type.Null()]),
};
const ApiKey = Type.Object(record);
const CreatedApiKey = Type.Object({
  ...record,
  key: Type.String({ description: 'The key itself, told this once' }),
});

const ApiKeyEvent = Type.Object({
  id: Id,
  apiKeyId: Id,
  action: Type.String({ description: 'created, updated, disabled, enabled, rotated or deleted' }),
  actor: Type.String({ description: 'api-key, cli, service, or sql for a change made in the database itself' }),
  actorKeyId: Type.Union([Id, Type.Null()], { description: 'The acting key' }),
  ip: Type.Union([Type.String(), Type.Null()]),
  changes: Type.Unsafe<Prisma.JsonValue>({
    type: 'object',
    additionalProperties: { type: 'object', properties: { from: {}, to: {} } },
    description: 'By field, what it was and what it became',
    examples: [{ active: { from: true, to: false } }],
  }),
  createdAt: Timestamp,
});

const NewApiKey = Type.Object(
  {
    name: Name,
    scopes: Type.Optional(Scopes),
    expiresAt: Type.Optional(ExpiresAt),
    rateLimitPerMinute: Type.Optional(RateLimit),
  },
  { additionalProperties: false },
);
const ApiKeyChange = Type.Object(
  {
    name: Type.Optional(Name),
    scopes: Type.Optional(Scopes),
    active: Type.Optional(Type.Boolean()),
    expiresAt: Type.Optional(ExpiresAt),
    rateLimitPerMinute: Type.Optional(RateLimit),
  },
  { additionalProperties: false, minProperties: 1 },
);
const Rotation = Type.Object(
  {
    graceSeconds: defaulted(
      Type.Integer({
        minimum: 0,
        maximum: graceSeconds.max,
        default: graceSeconds.default,
        description: 'How long the old key goes on working; never beyond its own expiry',
      }),
    ),
  },
  { additionalProperties: false },
);
const Force = Type.Object(
  { force: defaulted(Type.Boolean({ default: false, description: 'Also when it is the last active admin key' })) },
  { additionalProperties: false },
);

const ExpiryPast = createError('VALIDATION_FAILED', '/body/expiresAt must be in the future', 400);

export const apiKeyRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addHook('onRequest', app.requireApiKey(adminScope));
  const schema = { tags: ['keys'], security: keySecurity };
  const refusals = problems(400, 401, 403, 429, 503);

  app.post(
    '/v1/api-keys',
    {
      schema: {
        ...schema,
        summary: 'Make a key',
        body: NewApiKey,
        response: { 201: CreatedApiKey, ...refusals, ...problems(413, 415) },
      },
    },
    async (request, reply) => {
      const { expiresAt, ...fields } = request.body;
      const expiry = dateOf(expiresAt);
      if (expiry && expiry.getTime() <= Date.now()) throw new ExpiryPast();
      const created = await app.apiKeys.create({ ...fields, expiresAt: expiry }, actorOf(request));
      reply.code(201).header('location', `/v1/api-keys/${created.id}`);
      return created;
    },
  );

  app.get(
    '/v1/api-keys',
    {
      schema: {
        ...schema,
        summary: 'List keys, newest first',
        querystring: Page,
        response: {
          200: Type.Object({ data: Type.Array(ApiKey), nextCursor: Type.Union([Id, Type.Null()]) }),
          ...refusals,
        },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      return pageOf(await app.apiKeys.list(limit + 1, cursor), limit);
    },
  );

  app.get(
    '/v1/api-keys/:id',
    {
      schema: {
        ...schema,
        summary: 'One key',
        params: IdParams,
        response: { 200: ApiKey, ...refusals, ...problems(404, 414) },
      },
    },
    (request) => app.apiKeys.get(request.params.id),
  );

  app.patch(
    '/v1/api-keys/:id',
    {
      schema: {
        ...schema,
        summary: 'Change a key',
        params: IdParams,
        querystring: Force,
        body: ApiKeyChange,
        response: { 200: ApiKey, ...refusals, ...problems(404, 409, 413, 414, 415) },
      },
    },
    async (request) => {
      const { expiresAt, ...fields } = request.body;
      const change = expiresAt === undefined ? fields : { ...fields, expiresAt: dateOf(expiresAt) };
      return app.apiKeys.update(request.params.id, change, actorOf(request), request.query);
    },
  );

  app.delete(
    '/v1/api-keys/:id',
    {
      schema: {
        ...schema,
        summary: 'Delete a key',
        params: IdParams,
        querystring: Force,
        response: { 204: Type.Null(), ...refusals, ...problems(404, 409, 413, 414, 415) },
      },
    },
    async (request, reply) => {
      await app.apiKeys.remove(request.params.id, actorOf(request), request.query);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/v1/api-keys/:id/rotate',
    {
      schema: {
        ...schema,
        summary: 'Make a key that takes the place of another',
        description: 'The new key has the name, scopes, limit and expiry of the old one, which goes on for a while.',
        params: IdParams,
        body: Rotation,
        response: { 201: CreatedApiKey, ...refusals, ...problems(404, 409, 413, 414, 415) },
      },
    },
    async (request, reply) => {
      const created = await app.apiKeys.rotate(request.params.id, request.body.graceSeconds, actorOf(request));
      reply.code(201).header('location', `/v1/api-keys/${created.id}`);
      return created;
    },
  );

  app.get(
    '/v1/api-keys/:id/events',
    {
      schema: {
        ...schema,
        summary: 'What happened to a key, newest first',
        params: IdParams,
        querystring: Page,
        response: {
          200: Type.Object({ data: Type.Array(ApiKeyEvent), nextCursor: Type.Union([Id, Type.Null()]) }),
          ...refusals,
          ...problems(404, 414),
        },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      return pageOf(await app.apiKeys.events(request.params.id, limit + 1, cursor), limit);
    },
  );
};

function dateOf(text: string | null | undefined): Date | null {
  return text ? new Date(text) : null;
}
