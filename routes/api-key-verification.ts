import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { FastifyReply } from 'fastify';
import { trackCheck } from '../plugins/api-keys/pending-check.js';
import { scopePattern, verifyScope } from '../plugins/api-keys/scopes.js';
import { canonicalAddress } from '../plugins/client-address.js';
import { keySecurity } from '../plugins/openapi.js';
import { badField } from '../plugins/problem-details/bad-field.js';
import { problems } from '../plugins/problem-details/schema.js';
import { clientClosedRequest, pathOf, type VerifiedClient } from '../plugins/request-log/record.js';
import { traceIdIn } from '../plugins/trace-context.js';
import { KeyMetadata, KeyOwnerId } from './api-key-fields.js';
import { Id, lineOfText, nullable, oneOf, Timestamp } from './fields.js';
import {
  Cost,
  exampleQuota,
  exampleRateLimitStates,
  quotaFields,
  quotaStatesOf,
  RateLimitStates,
  rateLimitStatesOf,
} from './limit-fields.js';

const VerificationRequest = Type.Object(
  {
    key: Type.String({ minLength: 1, maxLength: 1_024, description: 'The whole key' }),
    scope: Type.Optional(Type.String({ pattern: scopePattern, description: 'The required scope' })),
    cost: Type.Optional(Cost),
    ip: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'The address of your client, for the request log and for `allowedIps` of the key',
      }),
    ),
    method: Type.Optional(Type.String({ pattern: '^[A-Z-]{1,32}$', description: 'The method of its request' })),
    path: Type.Optional(
      Type.String({
        pattern: `^/${lineOfText.slice(1)}`,
        maxLength: 1_024,
        description: 'The path of its request; the query string is removed',
      }),
    ),
    traceparent: Type.Optional(
      Type.String({
        maxLength: 512,
        description: 'The `traceparent` of its request. The row then has this trace, not the trace of the verification',
      }),
    ),
    tags: Type.Optional(
      Type.Array(Type.String({ pattern: lineOfText.replace('*', '{1,50}') }), {
        maxItems: 5,
        description: 'Up to five texts of your own, of 1 to 50 characters',
      }),
    ),
  },
  {
    additionalProperties: false,
    examples: [
      {
        key: 'mez_0123456789ABCDEFGHIJKLMNOPQRSTUV1QktVJ',
        scope: 'orders:read',
        ip: '203.0.113.7',
        method: 'GET',
        path: '/orders/17',
        tags: ['eu-west'],
      },
    ],
  },
);
const VerificationResult = Type.Object(
  {
    valid: Type.Boolean(),
    code: oneOf(
      ...(['VALID', 'NOT_FOUND', 'DISABLED', 'EXPIRED', 'IP_NOT_ALLOWED', 'INSUFFICIENT_SCOPE'] as const),
      ...(['RATE_LIMITED', 'QUOTA_EXCEEDED'] as const),
    ),
    id: Type.Optional(Id),
    name: Type.Optional(Type.String()),
    scopes: Type.Optional(Type.Array(Type.String())),
    expiresAt: Type.Optional(nullable(Timestamp)),
    ownerId: Type.Optional(KeyOwnerId),
    metadata: Type.Optional(KeyMetadata),
    rateLimits: Type.Optional(RateLimitStates),
    quota: Type.Optional(quotaFields.quota),
    ownerQuota: Type.Optional(quotaFields.ownerQuota),
    ipChecked: Type.Optional(
      Type.Boolean({
        description: 'Only for a key with `allowedIps`: whether `ip` was given, so that its addresses were checked',
      }),
    ),
  },
  {
    description: 'The result',
    examples: [
      {
        valid: true,
        code: 'VALID',
        id: '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07',
        name: 'ci',
        scopes: ['orders:read'],
        expiresAt: null,
        ownerId: 'customer-4711',
        metadata: { plan: 'pro' },
        rateLimits: exampleRateLimitStates,
        quota: exampleQuota,
        ownerQuota: null,
      },
    ],
  },
);

export const apiKeyVerificationRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/v1/api-keys/verify',
    {
      onRequest: app.requireApiKey(verifyScope),
      schema: {
        tags: ['keys'],
        operationId: 'verifyApiKey',
        summary: 'Verify a key',
        description:
          'Charges the limits and quotas of a valid key, and counts for the usage of a key that exists. The response has fields of the key only when it exists. `ip`, `method`, `path` and `tags` describe the request that the key came with; the row of the request log has them.',
        security: keySecurity,
        body: VerificationRequest,
        response: { 200: VerificationResult, ...problems(400, 401, 403, 413, 415, 429, 500, 503) },
      },
    },
    async (request, reply) => {
      // The caller has disconnected, and the row of this request has been written: a check now would not be counted.
      if (request.raw.socket.destroyed) return (reply as FastifyReply).code(clientClosedRequest).send();
      const { key: presented, scope, cost, traceparent, ...described } = request.body;
      const traceId = traceparent === undefined ? null : traceIdIn(traceparent);
      const client = clientOf(described);
      const { code, key, states } = await trackCheck(request, verifyAndRecord());
      if (key === null) return { valid: false, code };
      const { id, name, scopes, expiresAt, ownerId, metadata, allowedIps } = key;
      if (code === 'VALID') app.keyUsage.note(id);
      return {
        valid: code === 'VALID',
        code,
        id,
        name,
        scopes: [...scopes],
        expiresAt,
        ownerId,
        metadata,
        rateLimits: rateLimitStatesOf(key, states),
        ...quotaStatesOf(app.limits.quotas, key),
        ...(allowedIps && { ipChecked: client.ip !== undefined }),
      };

      async function verifyAndRecord() {
        const verification = await app.apiKeys.verify(presented, scope, client.ip, cost);
        const { code, key, charges } = verification;
        app.requestLog.overrideLogged(request, {
          verification: { apiKeyId: key?.id ?? null, ownerId: key?.ownerId ?? null, outcome: code, client },
          charges,
          ...(traceId && { traceId }),
        });
        return verification;
      }
    },
  );
};

/** @throws BadFieldError when the address is none */
function clientOf({ ip, path, ...rest }: VerifiedClient): VerifiedClient {
  const address = ip === undefined ? undefined : canonicalAddress(ip);
  if (ip !== undefined && address === undefined) throw badField('/body/ip', 'must be an IPv4 or IPv6 address');
  return { ...(address && { ip: address }), ...(path && { path: pathOf(path) }), ...rest };
}
