import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { keySecurity } from '../plugins/openapi.js';
import { problems } from '../plugins/problem-details/schema.js';
import { Id, Timestamp } from './fields.js';

const Me = Type.Object({
  id: Id,
  name: Type.String(),
  start: Type.String({ description: 'The first characters of the key' }),
  scopes: Type.Array(Type.String()),
  expiresAt: Type.Union([Timestamp, Type.Null()]),
});

export const meRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/v1/me',
    {
      onRequest: app.requireApiKey(),
      schema: {
        tags: ['keys'],
        summary: 'The calling key',
        security: keySecurity,
        response: { 200: Me, ...problems(400, 401, 429, 503) },
      },
    },
    async (request) => {
      const { id, name, start, scopes, expiresAt } = request.apiKey;
      return { id, name, start, scopes: [...scopes], expiresAt };
    },
  );
};
