import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { actorOf } from '../plugins/api-keys/actor.js';
import { keysRead, keysWrite } from '../plugins/api-keys/index.js';
import { keySecurity } from '../plugins/openapi.js';
import { badField } from '../plugins/problem-details/bad-field.js';
import { problems } from '../plugins/problem-details/schema.js';
import { checkedBody } from './api-key-checks.js';
import {
  ApiKey,
  ApiKeyChange,
  ApiKeyEvents,
  ApiKeyFilter,
  ApiKeys,
  CreatedApiKey,
  Force,
  KeyLimits,
  NewApiKey,
  Rotation,
} from './api-key-fields.js';
import { Deleted, IdParams, Page, pageOf } from './fields.js';
import { quotaStatesOf, rateLimitStatesOf } from './limit-fields.js';

export const apiKeyRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const schema = { tags: ['keys'], security: keySecurity };
  const reading = { onRequest: app.requireApiKey(keysRead) };
  const writing = { onRequest: app.requireApiKey(keysWrite) };
  const errorResponses = problems(400, 401, 403, 429, 500, 503);

  app.post(
    '/v1/api-keys',
    {
      ...writing,
      schema: {
        ...schema,
        operationId: 'createApiKey',
        summary: 'Create a key',
        body: NewApiKey,
        response: { 201: CreatedApiKey, ...errorResponses, ...problems(413, 415) },
      },
    },
    async (request, reply) => {
      const { expiresAt, ...fields } = checkedBody(request.body);
      const created = await app.apiKeys
        .create({ ...fields, expiresAt: dateOf(expiresAt) }, actorOf(request))
        .catch((error) => {
          throw error.code === 'EXPIRY_PASSED' ? badField('/body/expiresAt', 'must be in the future') : error;
        });
      reply.code(201).header('location', `/v1/api-keys/${created.id}`);
      return created;
    },
  );

  app.get(
    '/v1/api-keys',
    {
      ...reading,
      schema: {
        ...schema,
        operationId: 'listApiKeys',
        summary: 'List keys, newest first',
        querystring: ApiKeyFilter,
        response: {
          200: ApiKeys,
          ...errorResponses,
        },
      },
    },
    async (request) => {
      const { limit, expiresBefore, expiresAfter, lastUsedBefore, ...filter } = request.query;
      const times = {
        expiresBefore: timeOf(expiresBefore),
        expiresAfter: timeOf(expiresAfter),
        lastUsedBefore: timeOf(lastUsedBefore),
      };
      return app.apiKeys.list({ ...filter, ...times, limit });
    },
  );

  app.get(
    '/v1/api-keys/:id',
    {
      ...reading,
      schema: {
        ...schema,
        operationId: 'getApiKey',
        summary: 'Get a key',
        params: IdParams,
        response: { 200: ApiKey, ...errorResponses, ...problems(404, 414) },
      },
    },
    (request) => app.apiKeys.get(request.params.id),
  );

  app.get(
    '/v1/api-keys/:id/limits',
    {
      ...reading,
      schema: {
        ...schema,
        operationId: 'getApiKeyLimits',
        summary: 'Get the limits that apply to a key',
        description:
          'Those of the key or the default, and those of its owner, as `verify` with a cost of 0 returns them. Without Redis, rate limits are those of the replica that answers.',
        params: IdParams,
        response: { 200: KeyLimits, ...errorResponses, ...problems(404, 414) },
      },
    },
    async (request) => {
      const { key, states } = await app.apiKeys.readLimits(request.params.id);
      return { rateLimits: rateLimitStatesOf(key, states), ...quotaStatesOf(app.limits.quotas, key) };
    },
  );

  app.patch(
    '/v1/api-keys/:id',
    {
      ...writing,
      schema: {
        ...schema,
        operationId: 'updateApiKey',
        summary: 'Change a key',
        params: IdParams,
        querystring: Force,
        body: ApiKeyChange,
        response: { 200: ApiKey, ...errorResponses, ...problems(404, 409, 413, 414, 415) },
      },
    },
    async (request) => {
      const { expiresAt, ...fields } = checkedBody(request.body);
      const change = expiresAt === undefined ? fields : { ...fields, expiresAt: dateOf(expiresAt) };
      return app.apiKeys.update(request.params.id, change, actorOf(request), request.query);
    },
  );

  app.delete(
    '/v1/api-keys/:id',
    {
      ...writing,
      schema: {
        ...schema,
        operationId: 'deleteApiKey',
        summary: 'Delete a key',
        params: IdParams,
        querystring: Force,
        response: { 204: Deleted, ...errorResponses, ...problems(404, 409, 413, 414, 415) },
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
      ...writing,
      schema: {
        ...schema,
        operationId: 'rotateApiKey',
        summary: 'Rotate a key',
        description: 'The new key has the fields and the prefix of the old one, which expires after the grace period.',
        params: IdParams,
        body: Rotation,
        response: { 201: CreatedApiKey, ...errorResponses, ...problems(404, 409, 413, 414, 415) },
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
      ...reading,
      schema: {
        ...schema,
        operationId: 'listApiKeyEvents',
        summary: 'List the events of a key, newest first',
        params: IdParams,
        querystring: Page,
        response: {
          200: ApiKeyEvents,
          ...errorResponses,
          ...problems(404, 414),
        },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      return pageOf(await app.apiKeys.listKeyEvents(request.params.id, limit + 1, cursor), limit);
    },
  );
};

function timeOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}

function dateOf(text: string | null | undefined): Date | null {
  return text ? new Date(text) : null;
}
