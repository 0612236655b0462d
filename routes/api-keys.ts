import createError from '@fastify/error';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { adminScope } from '../plugins/api-keys/index.js';
import { namePattern, scopePattern } from '../plugins/api-keys/store.js';
import { keySecurity } from '../plugins/openapi.js';
import { problems } from '../plugins/problem-details/schema.js';
import { GivenTimestamp, Id, IdParams, Page, pageOf, Timestamp } from './fields.js';

const Name = Type.String({ pattern: namePattern, description: '1 to 100 characters' });
const Scopes = Type.Array(Type.String({ pattern: scopePattern }), {
  maxItems: 32,
  uniqueItems: true,
  description: 'What the key may do; admin opens everything',
});
const ExpiresAt = Type.Unsafe<string | null>({ ...GivenTimestamp, type: ['string', 'null'] });

const record = {
  id: Id,
  start: Type.String({ description: 'The first characters of the key' }),
  name: Type.String(),
  scopes: Type.Array(Type.String()),
  active: Type.Boolean(),
  expiresAt: Type.Union([Timestamp, Type.Null()]),
  createdAt: Timestamp,
  updatedAt: Timestamp,
  lastUsed: Type.Union([Timestamp, Type.Null()]),
};
const ApiKey = Type.Object(record);
const CreatedApiKey = Type.Object({
  ...record,
  key: Type.String({ description: 'The key itself, told this once' }),
});

const NewApiKey = Type.Object(
  { name: Name, scopes: Type.Optional(Scopes), expiresAt: Type.Optional(ExpiresAt) },
  { additionalProperties: false },
);
const ApiKeyChange = Type.Object(
  {
    name: Type.Optional(Name),
    scopes: Type.Optional(Scopes),
    active: Type.Optional(Type.Boolean()),
    expiresAt: Type.Optional(ExpiresAt),
  },
  { additionalProperties: false, minProperties: 1 },
);

const NoSuchKey = createError('API_KEY_NOT_FOUND', 'there is no API key with this id', 404);
const ExpiryPast = createError('VALIDATION_FAILED', '/body/expiresAt must be in the future', 400);

export const apiKeyRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addHook('onRequest', app.requireApiKey(adminScope));
  const schema = { tags: ['keys'], security: keySecurity };
  const refusals = problems(400, 401, 403, 503);

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
      const created = await app.apiKeys.create({ ...fields, expiresAt: expiry });
      reply.code(201).header('location', `/v1/api-keys/${created.record.id}`);
      return { ...created.record, key: created.key };
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
        response: { 200: ApiKey, ...refusals, ...problems(404) },
      },
    },
    async (request) => found(await app.apiKeys.get(request.params.id)),
  );

  app.patch(
    '/v1/api-keys/:id',
    {
      schema: {
        ...schema,
        summary: 'Change a key',
        params: IdParams,
        body: ApiKeyChange,
        response: { 200: ApiKey, ...refusals, ...problems(404, 413, 415) },
      },
    },
    async (request) => {
      const { expiresAt, ...fields } = request.body;
      const change = expiresAt === undefined ? fields : { ...fields, expiresAt: dateOf(expiresAt) };
      return found(await app.apiKeys.update(request.params.id, change));
    },
  );

  app.delete(
    '/v1/api-keys/:id',
    {
      schema: {
        ...schema,
        summary: 'Delete a key',
        params: IdParams,
        response: { 204: Type.Null(), ...refusals, ...problems(404) },
      },
    },
    async (request, reply) => {
      if (!(await app.apiKeys.remove(request.params.id))) throw new NoSuchKey();
      return reply.code(204).send(null);
    },
  );
};

function found<T>(record: T | null): T {
  if (record === null) throw new NoSuchKey();
  return record;
}

function dateOf(text: string | null | undefined): Date | null {
  return text ? new Date(text) : null;
}
