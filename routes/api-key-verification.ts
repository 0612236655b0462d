import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { scopePattern } from '../plugins/api-keys/store.js';
import { keySecurity } from '../plugins/openapi.js';
import { problems } from '../plugins/problem-details/schema.js';
import { Id, nullable, oneOf, Timestamp } from './fields.js';

const Question = Type.Object(
  {
    key: Type.String({ minLength: 1, maxLength: 1_024, description: 'The whole key' }),
    scope: Type.Optional(Type.String({ pattern: scopePattern, description: 'What it must be allowed to do' })),
  },
  {
    additionalProperties: false,
    examples: [{ key: 'mez_0123456789ABCDEFGHIJKLMNOPQRSTUV1QktVJ', scope: 'orders:read' }],
  },
);
const Answer = Type.Object(
  {
    valid: Type.Boolean(),
    code: oneOf('VALID', 'NOT_FOUND', 'DISABLED', 'EXPIRED', 'INSUFFICIENT_SCOPE', 'RATE_LIMITED'),
    id: Type.Optional(Id),
    name: Type.Optional(Type.String()),
    scopes: Type.Optional(Type.Array(Type.String())),
    expiresAt: Type.Optional(nullable(Timestamp)),
  },
  {
    description: 'The verdict',
    examples: [
      {
        valid: true,
        code: 'VALID',
        id: '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07',
        name: 'ci',
        scopes: ['orders:read'],
        expiresAt: null,
      },
    ],
  },
);

export const apiKeyVerificationRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/v1/api-keys/verify',
    {
      onRequest: app.requireApiKey('verify'),
      schema: {
        tags: ['keys'],
        operationId: 'verifyApiKey',
        summary: 'Whether a key that was presented elsewhere is good',
        description: 'Counts as a use of that key, if it is good. Nothing is told of a key but to who has all of it.',
        security: keySecurity,
        body: Question,
        response: { 200: Answer, ...problems(400, 401, 403, 413, 415, 429, 500, 503) },
      },
    },
    async (request) => {
      const { code, key } = await app.apiKeys.verify(request.body.key, request.body.scope);
      if (key === null) return { valid: false, code };
      const { id, name, scopes, expiresAt } = key;
      if (code === 'VALID') app.keyUsage.note(id);
      return { valid: code === 'VALID', code, id, name, scopes: [...scopes], expiresAt };
    },
  );
};
