import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { scopePattern } from '../plugins/api-keys/store.js';
import { keySecurity } from '../plugins/openapi.js';
import { problems } from '../plugins/problem-details/schema.js';
import { Id, Timestamp } from './fields.js';

const codes = ['VALID', 'NOT_FOUND', 'DISABLED', 'EXPIRED', 'INSUFFICIENT_SCOPE', 'RATE_LIMITED'] as const;

const Question = Type.Object(
  {
    key: Type.String({ minLength: 1, maxLength: 1_024, description: 'The whole key' }),
    scope: Type.Optional(Type.String({ pattern: scopePattern, description: 'What it must be allowed to do' })),
  },
  { additionalProperties: false },
);
const Answer = Type.Object({
  valid: Type.Boolean(),
  code: Type.Unsafe<(typeof codes)[number]>({ type: 'string', enum: [...codes] }),
  id: Type.Optional(Id),
  name: Type.Optional(Type.String()),
  scopes: Type.Optional(Type.Array(Type.String())),
  expiresAt: Type.Optional(Type.Union([Timestamp, Type.Null()])),
});

export const apiKeyVerificationRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/v1/api-keys/verify',
    {
      onRequest: app.requireApiKey('verify'),
      schema: {
        tags: ['keys'],
        summary: 'Whether a key that was presented elsewhere is good',
        description: 'Counts as a use of that key, if it is good. Nothing is told of a key but to who has all of it.',
        security: keySecurity,
        body: Question,
        response: { 200: Answer, ...problems(400, 401, 403, 413, 415, 429, 503) },
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
