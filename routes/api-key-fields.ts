import { type Static, Type } from '@sinclair/typebox';
import { graceSeconds, highestRateLimit, namePattern, scopePattern } from '../plugins/api-keys/store.js';
import type { Prisma } from '../plugins/prisma/generated/client.js';
import { defaulted, GivenTimestamp, Id, listOf, nullable, Timestamp } from './fields.js';

const Name = Type.String({ pattern: namePattern, description: '1 to 100 characters' });
const Scopes = Type.Array(Type.String({ pattern: scopePattern }), {
  maxItems: 32,
  uniqueItems: true,
  description: 'What the key may do; admin opens everything',
});
const ExpiresAt = nullable(GivenTimestamp, { description: 'Null: never' });
const RateLimit = nullable(Type.Integer({ minimum: 1, maximum: highestRateLimit }), {
  description: 'Requests a minute; null: the default of the service',
});

const record = {
  id: Id,
  start: Type.String({ description: 'The first characters of the key' }),
  name: Type.String(),
  scopes: Type.Array(Type.String()),
  active: Type.Boolean(),
  expiresAt: nullable(Timestamp),
  rateLimitPerMinute: nullable(Type.Integer()),
  replaces: nullable(Id, { description: 'The key that it was rotated from' }),
  replacedBy: nullable(Id, { description: 'The key that it was rotated to' }),
  createdAt: Timestamp,
  updatedAt: Timestamp,
  lastUsed: nullable(Timestamp),
};
const example = {
  id: '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07',
  start: 'mez_01234567',
  name: 'ci',
  scopes: ['orders:read'],
  active: true,
  expiresAt: null,
  rateLimitPerMinute: 600,
  replaces: null,
  replacedBy: null,
  createdAt: '2026-01-31T09:30:00.000Z',
  updatedAt: '2026-01-31T09:30:00.000Z',
  lastUsed: null,
};
export const ApiKey = Type.Object(record, { description: 'The key', examples: [example] });
export type ApiKey = Static<typeof ApiKey>;
export const CreatedApiKey = Type.Object(
  { ...record, key: Type.String({ description: 'The key itself, told this once' }) },
  {
    description: 'The new key',
    headers: { location: Type.String({ description: 'Where it is', example: `/v1/api-keys/${example.id}` }) },
    examples: [{ ...example, key: 'mez_0123456789ABCDEFGHIJKLMNOPQRSTUV1QktVJ' }],
  },
);
export type CreatedApiKey = Static<typeof CreatedApiKey>;
export const ApiKeys = listOf(ApiKey, example);

const ApiKeyEvent = Type.Object({
  id: Id,
  apiKeyId: Id,
  action: Type.String({ description: 'created, updated, disabled, enabled, rotated or deleted' }),
  actor: Type.String({ description: 'api-key, cli, service, or sql for a change made in the database itself' }),
  actorKeyId: nullable(Id, { description: 'The acting key' }),
  ip: nullable(Type.String()),
  changes: Type.Unsafe<Prisma.JsonValue>({
    type: 'object',
    additionalProperties: { type: 'object', properties: { from: {}, to: {} } },
    description: 'By field, what it was and what it became',
  }),
  createdAt: Timestamp,
});
export type ApiKeyEvent = Static<typeof ApiKeyEvent>;
export const ApiKeyEvents = listOf(ApiKeyEvent, {
  id: '019b8a41-30b2-7c55-8a6e-6f0e1c9d2b34',
  apiKeyId: example.id,
  action: 'disabled',
  actor: 'cli',
  actorKeyId: null,
  ip: null,
  changes: { active: { from: true, to: false } },
  createdAt: '2026-02-01T12:00:00.000Z',
});

export const NewApiKey = Type.Object(
  {
    name: Name,
    scopes: Type.Optional(Scopes),
    expiresAt: Type.Optional(ExpiresAt),
    rateLimitPerMinute: Type.Optional(RateLimit),
  },
  { additionalProperties: false, examples: [{ name: 'ci', scopes: ['orders:read'], rateLimitPerMinute: 600 }] },
);
export type NewApiKey = Static<typeof NewApiKey>;
export const ApiKeyChange = Type.Object(
  {
    name: Type.Optional(Name),
    scopes: Type.Optional(Scopes),
    active: Type.Optional(Type.Boolean()),
    expiresAt: Type.Optional(ExpiresAt),
    rateLimitPerMinute: Type.Optional(RateLimit),
  },
  { additionalProperties: false, minProperties: 1, examples: [{ active: false }] },
);
export type ApiKeyChange = Static<typeof ApiKeyChange>;
export const Rotation = Type.Object(
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
  { additionalProperties: false, examples: [{ graceSeconds: 3600 }] },
);
export const Force = Type.Object(
  { force: defaulted(Type.Boolean({ default: false, description: 'Also when it is the last active admin key' })) },
  { additionalProperties: false },
);
