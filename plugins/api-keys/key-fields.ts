import type { Limit } from '../limits/limit.js';
import type { Quota, QuotaState } from '../limits/quota.js';
import type { Prisma } from '../prisma/generated/client.js';

/** The pattern of a key's name: one line, without control characters and lone surrogates, which PostgreSQL rejects. */
export const namePattern = '^[^\\u0000-\\u001f\\u007f\\ud800-\\udfff]{1,100}$';

/** The pattern of an owner's id: printable characters of the caller's own system. */
export const ownerIdPattern = '^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029\\ud800-\\udfff]{1,200}$';

/** The pattern of the part of a key before the underscore. */
export const prefixPattern = '^[a-z][a-z0-9]{0,15}$';

/** The largest size of a key's metadata as JSON. */
export const maxMetadataBytes = 4_096;

/** The grace period of a rotated key, in seconds. */
export const graceSeconds = { default: 86_400, max: 30 * 86_400 };

/** The columns to select for `ApiKeyRecord`. */
export const publicFields = {
  id: true,
  start: true,
  name: true,
  scopes: true,
  active: true,
  expiresAt: true,
  rateLimitPerMinute: true,
  rateLimits: true,
  quota: true,
  ownerId: true,
  metadata: true,
  allowedIps: true,
  replaces: true,
  replacedBy: true,
  createdAt: true,
  updatedAt: true,
  lastUsed: true,
} as const;

/** The fields of a key that the API returns. The secret is stored as a digest only. */
export interface ApiKeyRecord {
  id: string;
  start: string;
  name: string;
  scopes: string[];
  active: boolean;
  /** Null: the key never expires. */
  expiresAt: Date | null;
  /** The per-minute limit of the key; null: none. */
  rateLimitPerMinute: number | null;
  /** All limits of the key, including the per-minute limit. Empty: the service's default. */
  rateLimits: Limit[];
  quota: QuotaState | null;
  /** The customer that the key belongs to, by its id in the system of the caller. */
  ownerId: string | null;
  /** A JSON object of the caller. */
  metadata: Metadata | null;
  /** Addresses and networks of the clients that may use the key, in canonical form. Empty: all. */
  allowedIps: string[];
  /** The id of the key that this one was rotated from. */
  replaces: string | null;
  /** The id of the key that this one was rotated to. */
  replacedBy: string | null;
  createdAt: Date;
  updatedAt: Date;
  lastUsed: Date | null;
}

/** A JSON object. */
export type Metadata = Record<string, unknown>;

/** The fields of a key that its administrator chooses. */
type Chosen =
  | 'name'
  | 'scopes'
  | 'expiresAt'
  | 'rateLimitPerMinute'
  | 'rateLimits'
  | 'ownerId'
  | 'metadata'
  | 'allowedIps';

export type NewApiKey = Pick<ApiKeyRecord, 'name'> &
  Partial<Pick<ApiKeyRecord, Chosen | 'replaces'>> & {
    quota?: Quota | null | undefined;
    /** The part of the key before the underscore. Default: that of the service. */
    prefix?: string | undefined;
  };

export type ApiKeyChange = Partial<Pick<ApiKeyRecord, Chosen | 'active'>> & {
  quota?: Quota | null | undefined;
  /** Resets the quota to zero. */
  resetQuota?: boolean | undefined;
};

/** A new key with its secret, which is available only once. */
export interface CreatedApiKey extends ApiKeyRecord {
  key: string;
}

/** The actions of events. The service itself writes those of quotas, when 80 and 100 % are used. */
export const eventActions = [
  ...['created', 'updated', 'disabled', 'enabled', 'rotated', 'deleted', 'owner-limits', 'quota-80', 'quota-100'],
];

/** One entry of a key's history. */
export interface ApiKeyEvent {
  id: string;
  /** Null for events of an owner. */
  apiKeyId: string | null;
  action: string;
  actor: string;
  actorKeyId: string | null;
  ip: string | null;
  /** The old and new value of each changed field; null when it was not set. */
  changes: Prisma.JsonValue;
  createdAt: Date;
  /** The owner of the key after the change. */
  ownerId: string | null;
}

/** An event must match all of the given fields. */
export interface EventFilter {
  action?: string | undefined;
  actor?: string | undefined;
  ownerId?: string | undefined;
  from?: Date | undefined;
  /** Exclusive. */
  to?: Date | undefined;
}

/** Whether a key is active and has not expired. */
export function isUsable({ active, expiresAt }: Pick<ApiKeyRecord, 'active' | 'expiresAt'>, now: number): boolean {
  return active && (expiresAt === null || expiresAt.getTime() > now);
}
