import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from '@sinclair/typebox';
import { keySecurity } from '../plugins/openapi.js';
import { problems } from '../plugins/problem-details/schema.js';
import { KeyMetadata, KeyOwnerId } from './api-key-fields.js';
import { Id, nullable, Timestamp } from './fields.js';
import { exampleQuota, exampleRateLimits, limitProperties, quotaFields, quotaStatesOf } from './limit-fields.js';

const Me = Type.Object(
  {
    id: Id,
    name: Type.String(),
    start: Type.String({ description: 'The first characters of the key' }),
    scopes: Type.Array(Type.String()),
    expiresAt: nullable(Timestamp),
    ownerId: KeyOwnerId,
    metadata: KeyMetadata,
    rateLimits: Type.Array(Type.Object(limitProperties), {
      description: 'The limits that apply: those of the key or the default, and those of its owner as `owner:NAME`',
    }),
    ...quotaFields,
  },
  {
    description: 'The key',
    examples: [
      {
        id: '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07',
        name: 'ci',
        start: 'mez_01234567',
        scopes: ['orders:read'],
        expiresAt: null,
        ownerId: 'customer-4711',
        metadata: { plan: 'pro' },
        rateLimits: exampleRateLimits,
        quota: exampleQuota,
        ownerQuota: null,
      },
    ],
  },
);

export type Me = Static<typeof Me>;

export const meRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/v1/me',
    {
      onRequest: app.requireApiKey(),
      schema: {
        tags: ['keys'],
        operationId: 'getMe',
        summary: 'Get the calling key',
        security: keySecurity,
        response: { 200: Me, ...problems(400, 401, 429, 500, 503) },
      },
    },
    async (request) => {
      const { id, name, start, scopes, expiresAt, ownerId, metadata } = request.apiKey;
      const rateLimits = request.apiKey.limits.map(({ policy, limit, windowSeconds }) => ({
        name: policy,
        limit,
        windowSeconds,
      }));
      const quotas = quotaStatesOf(app.limits.quotas, request.apiKey);
      return { id, name, start, scopes: [...scopes], expiresAt, ownerId, metadata, rateLimits, ...quotas };
    },
  );
};
