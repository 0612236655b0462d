import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { actorOf } from '../plugins/api-keys/actor.js';
import { adminScope } from '../plugins/api-keys/index.js';
import { keySecurity } from '../plugins/openapi.js';
import { badField } from '../plugins/problem-details/bad-field.js';
import { problems } from '../plugins/problem-details/schema.js';
import {
  ApiKey,
  ApiKeyChange,
  ApiKeyEvents,
  ApiKeys,
  CreatedApiKey,
  Force,
  NewApiKey,
  Rotation,
} from './api-key-fields.js';
import { Deleted, IdParams, Page, pageOf } from './fields.js';

export const apiKeyRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addHook('onRequest', app.requireApiKey(adminScope));
  const schema = { tags: ['keys'], security: keySecurity };
  const refusals = problems(400, 401, 403, 429, 500, 503);

  app.post(
    '/v1/api-keys',
    {
      schema: {
        ...schema,
        operationId: 'createApiKey',
        summary: 'Make a key',
        body: NewApiKey,
        response: { 201: CreatedApiKey, ...refusals, ...problems(413, 415) },
      },
    },
    async (request, reply) => {
      const { expiresAt, ...fields } = request.body;
      const expiry = dateOf(expiresAt);
      if (expiry && expiry.getTime() <= Date.now()) throw badField('/body/expiresAt', 'must be in the future');
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
        operationId: 'listApiKeys',
        summary: 'List keys, newest first',
        querystring: Page,
        response: {
          200: ApiKeys,
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
        operationId: 'getApiKey',
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
        operationId: 'updateApiKey',
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
        operationId: 'deleteApiKey',
        summary: 'Delete a key',
        params: IdParams,
        querystring: Force,
        response: { 204: Deleted, ...refusals, ...problems(404, 409, 413, 414, 415) },
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
        operationId: 'rotateApiKey',
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
        operationId: 'listApiKeyEvents',
        summary: 'What happened to a key, newest first',
        params: IdParams,
        querystring: Page,
        response: {
          200: ApiKeyEvents,
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
