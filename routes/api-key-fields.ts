import { type Static, Type } from '@sinclair/typebox';
import { maxAllowedIps } from '../plugins/api-keys/allowed-ips.js';
import {
  graceSeconds,
  type Metadata,
  maxMetadataBytes,
  namePattern,
  ownerIdPattern,
  prefixPattern,
} from '../plugins/api-keys/key-fields.js';
import { minSearchLength } from '../plugins/api-keys/key-list.js';
import { grantedScopePattern } from '../plugins/api-keys/scopes.js';
import { maxRequests } from '../plugins/limits/limit.js';
import type { Prisma } from '../plugins/prisma/generated/client.js';
import {
  defaulted,
  described,
  Id,
  idList,
  lineOfText,
  listOf,
  nullable,
  Page,
  Timestamp,
  TimestampInput,
} from './fields.js';
import {
  exampleQuota,
  exampleRateLimitStates,
  QuotaInput,
  QuotaState,
  quotaFields,
  RateLimitStates,
  RateLimits,
  RateLimitsInput,
} from './limit-fields.js';

const Name = Type.String({ pattern: namePattern, description: '1 to 100 characters' });
const Scopes = Type.Array(Type.String({ pattern: grantedScopePattern }), {
  maxItems: 32,
  uniqueItems: true,
  description: 'The scopes of the key. `admin` includes all; `orders:*` includes those that begin with `orders:`',
});
const ExpiresAt = nullable(TimestampInput, { description: 'Null: never' });
const RateLimit = nullable(Type.Integer({ minimum: 1, maximum: maxRequests }), {
  description: 'Short form of the limit `minute`: requests a minute. Null without it',
});
const OwnerId = Type.String({
  pattern: ownerIdPattern,
  description: 'The customer that the key belongs to, by its id in your system: 1 to 200 printable characters',
  examples: ['customer-4711'],
});
const MetadataInput = Type.Unsafe<Metadata | null>({
  type: ['object', 'null'],
  additionalProperties: true,
  description: `A JSON object of your own, up to ${maxMetadataBytes} bytes`,
});
const AllowedIps = Type.Array(Type.String({ maxLength: 64 }), {
  maxItems: maxAllowedIps,
  description:
    'IPv4 and IPv6 addresses and networks of the clients that may use the key, such as 10.0.0.0/8. Empty: all',
});
/** In a response. */
export const KeyMetadata = Type.Unsafe<Readonly<Metadata> | null>({
  type: ['object', 'null'],
  additionalProperties: true,
  description: 'The JSON object that was stored with the key',
});
export const KeyOwnerId = nullable(Type.String(), { description: 'The customer that the key belongs to' });

const record = {
  id: Id,
  start: Type.String({ description: 'The first characters of the key' }),
  name: Type.String(),
  scopes: Type.Array(Type.String()),
  active: Type.Boolean(),
  expiresAt: nullable(Timestamp),
  rateLimitPerMinute: nullable(Type.Integer(), { description: 'The limit `minute` of the key itself' }),
  rateLimits: RateLimits,
  quota: nullable(QuotaState, { description: 'Null: none' }),
  ownerId: KeyOwnerId,
  metadata: KeyMetadata,
  allowedIps: Type.Array(Type.String(), { description: 'Addresses and networks that may use the key. Empty: all' }),
  replaces: nullable(Id, { description: 'The key that this one was rotated from' }),
  replacedBy: nullable(Id, { description: 'The key that this one was rotated to' }),
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
  rateLimits: [
    { name: 'second', limit: 20, windowSeconds: 1 },
    { name: 'minute', limit: 600, windowSeconds: 60 },
  ],
  quota: exampleQuota,
  ownerId: 'customer-4711',
  metadata: { plan: 'pro' },
  allowedIps: ['203.0.113.0/24'],
  replaces: null,
  replacedBy: null,
  createdAt: '2026-01-31T09:30:00.000Z',
  updatedAt: '2026-01-31T09:30:00.000Z',
  lastUsed: null,
};
export const ApiKey = Type.Object(record, { description: 'The key', examples: [example] });
export type ApiKey = Static<typeof ApiKey>;
export const KeyLimits = Type.Object(
  { rateLimits: RateLimitStates, ...quotaFields },
  {
    description: 'The limits that apply to the key, and how full they are',
    examples: [{ rateLimits: exampleRateLimitStates, quota: exampleQuota, ownerQuota: null }],
  },
);
export type KeyLimits = Static<typeof KeyLimits>;
export const CreatedApiKey = Type.Object(
  { ...record, key: Type.String({ description: 'The full key; this response is the only one that has it' }) },
  {
    description: 'The new key',
    headers: {
      location: Type.String({ description: 'The path of the new key', example: `/v1/api-keys/${example.id}` }),
    },
    examples: [{ ...example, key: 'mez_0123456789ABCDEFGHIJKLMNOPQRSTUV1QktVJ' }],
  },
);
export type CreatedApiKey = Static<typeof CreatedApiKey>;
export const ApiKeys = listOf(ApiKey, example);

const ApiKeyEvent = Type.Object({
  id: Id,
  apiKeyId: nullable(Id, { description: 'Null for events of an owner' }),
  action: Type.String({
    description: 'created, updated, disabled, enabled, rotated, deleted, owner-limits, quota-80 or quota-100',
  }),
  actor: Type.String({ description: 'api-key, cli, service, or sql for a change in the database itself' }),
  actorKeyId: nullable(Id, { description: 'The key that made the change' }),
  ip: nullable(Type.String()),
  changes: Type.Unsafe<Prisma.JsonValue>({
    type: 'object',
    additionalProperties: { type: 'object', properties: { from: {}, to: {} } },
    description: 'The old and new value of each changed field',
  }),
  createdAt: Timestamp,
  ownerId: nullable(Type.String(), { description: 'The owner of the key after the change' }),
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
  ownerId: 'customer-4711',
});

export const NewApiKey = Type.Object(
  {
    name: Name,
    scopes: Type.Optional(Scopes),
    expiresAt: Type.Optional(ExpiresAt),
    rateLimitPerMinute: Type.Optional(RateLimit),
    rateLimits: Type.Optional(RateLimitsInput),
    quota: Type.Optional(nullable(QuotaInput, { description: 'Null: none' })),
    ownerId: Type.Optional(nullable(OwnerId)),
    metadata: Type.Optional(MetadataInput),
    allowedIps: Type.Optional(AllowedIps),
    prefix: Type.Optional(
      Type.String({
        pattern: prefixPattern,
        description: 'The prefix of the key, such as `test`; default: API_KEY_PREFIX',
      }),
    ),
  },
  {
    additionalProperties: false,
    examples: [{ name: 'ci', scopes: ['orders:read'], rateLimitPerMinute: 600, ownerId: 'customer-4711' }],
  },
);
export type NewApiKey = Static<typeof NewApiKey>;
export const ApiKeyChange = Type.Object(
  {
    name: Type.Optional(Name),
    scopes: Type.Optional(Scopes),
    active: Type.Optional(Type.Boolean()),
    resetQuota: Type.Optional(Type.Boolean({ description: 'Resets the quota to zero' })),
    expiresAt: Type.Optional(ExpiresAt),
    rateLimitPerMinute: Type.Optional(RateLimit),
    rateLimits: Type.Optional(RateLimitsInput),
    quota: Type.Optional(nullable(QuotaInput, { description: 'Null: none' })),
    ownerId: Type.Optional(nullable(OwnerId)),
    metadata: Type.Optional(MetadataInput),
    allowedIps: Type.Optional(AllowedIps),
  },
  { additionalProperties: false, minProperties: 1, examples: [{ active: false }] },
);
export type ApiKeyChange = Static<typeof ApiKeyChange>;
/** The query of a list of keys. A key must match all filters. */
export const ApiKeyFilter = Type.Object(
  {
    ...Page.properties,
    id: Type.Optional(idList(100, 'The ids of keys, repeated')),
    ownerId: Type.Optional(OwnerId),
    q: Type.Optional(
      Type.String({
        pattern: lineOfText.replace('*', `{${minSearchLength},100}`),
        description: `A part of the name or of the start, in any case, of at least ${minSearchLength} characters`,
        examples: ['mobile'],
      }),
    ),
    scope: Type.Optional(
      Type.String({ pattern: grantedScopePattern, description: 'One of the scopes, exactly', examples: ['admin'] }),
    ),
    active: Type.Optional(Type.Boolean()),
    expiresBefore: Type.Optional(described(TimestampInput, 'Expires, or has expired, before this time')),
    expiresAfter: Type.Optional(described(TimestampInput, 'Expires, or has expired, at this time or later')),
    lastUsedBefore: Type.Optional(
      described(TimestampInput, 'Last used before this time, or never used and created before it'),
    ),
  },
  { additionalProperties: false },
);
export const Rotation = Type.Object(
  {
    graceSeconds: defaulted(
      Type.Integer({
        minimum: 0,
        maximum: graceSeconds.max,
        default: graceSeconds.default,
        description: 'The grace period of the old key; its own expiry can end it earlier',
      }),
    ),
  },
  { additionalProperties: false, examples: [{ graceSeconds: 3600 }] },
);
export const Force = Type.Object(
  { force: defaulted(Type.Boolean({ default: false, description: 'Allow it for the last active admin key' })) },
  { additionalProperties: false },
);
