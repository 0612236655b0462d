import type { CountedLimit } from '../limits/counter.js';
import { type Limit, quotaName } from '../limits/limit.js';
import type { Quota } from '../limits/quota.js';
import type { CountedQuota, QuotaTotal } from '../limits/quota-counter.js';
import { limitOrDenyAll, ownLimits } from './key-limits.js';

/** The columns of a key and its owner about limits and quotas. */
export interface LimitsRow {
  id: string;
  ownerId: string | null;
  rateLimitPerMinute: number | null;
  rateLimits: Limit[] | null;
  quota: Quota | null;
  quotaId: string | null;
  quotaResetAtMs: number | null;
  /** What was used of the quota; null: nothing. */
  quotaTotal: QuotaTotal | null;
  ownerRateLimits: Limit[] | null;
  ownerQuota: Quota | null;
  ownerQuotaResetAtMs: number | null;
  ownerQuotaTotal: QuotaTotal | null;
}

/** Selects `LimitsRow` from `api_keys AS keys` and `owner_limits AS owners`. @param schema quoted */
export const limitsSelection = (schema: string) => `
  keys."rateLimitPerMinute", keys."rateLimits", keys.quota, keys."quotaId",
  extract(epoch FROM keys."quotaResetAt")::float8 * 1000 AS "quotaResetAtMs",
  ${quotaTotalOf(schema, 'key')} AS "quotaTotal",
  owners."rateLimits" AS "ownerRateLimits", owners.quota AS "ownerQuota",
  extract(epoch FROM owners."quotaResetAt")::float8 * 1000 AS "ownerQuotaResetAtMs",
  ${quotaTotalOf(schema, 'owner')} AS "ownerQuotaTotal"`;

const targets = {
  key: { table: 'keys', id: 'coalesce(keys."quotaId", keys.id)' },
  owner: { table: 'owners', id: 'owners."ownerId"' },
};

/** An expression of `QuotaTotal`: what was used of the quota in a row of `api_keys AS keys` or `owner_limits AS owners`; null: nothing. */
export function quotaTotalOf(schema: string, kind: QuotaTotal['kind']): string {
  const { table, id } = targets[kind];
  return `
  CASE WHEN ${table}.quota IS NOT NULL THEN (
    SELECT jsonb_build_object('kind', kind, 'id', used.id, 'start', (extract(epoch FROM start) * 1000)::bigint, 'used', sum(used.used))
    FROM ${schema}.quota_usage AS used
    WHERE used.kind = '${kind}' AND used.id = ${id} AND used.start = ${schema}.quota_window(${table}.quota, ${table}."quotaResetAt")
    GROUP BY used.kind, used.id, used.start
  ) END`;
}

const noLimits: readonly CountedLimit[] = [];
const noQuotas: readonly CountedQuota[] = [];

/** The limits that requests with a key count for. @param defaults those of keys without limits of their own */
export function limitsOf(row: LimitsRow, defaults: readonly Limit[]): readonly CountedLimit[] {
  const { id, ownerId, ownerRateLimits } = row;
  const own = ownLimits(row);
  const ofKey = own.length > 0 ? own : defaults;
  const ofOwner = ownerId === null ? [] : (ownerRateLimits ?? []).map(limitOrDenyAll);
  if (ofKey.length + ofOwner.length === 0) return noLimits;
  return [
    ...ofKey.map((limit): CountedLimit => ({ ...limit, kind: 'key', id, ownerId, policy: limit.name })),
    ...ofOwner.map(
      (limit): CountedLimit => ({ ...limit, kind: 'owner', id: ownerId ?? '', policy: `owner:${limit.name}` }),
    ),
  ];
}

/** The quotas that requests with a key count for. */
export function quotasOf(row: LimitsRow): readonly CountedQuota[] {
  const { id, quotaId, ownerId, quota, ownerQuota, quotaResetAtMs, ownerQuotaResetAtMs } = row;
  if (quota === null && ownerQuota === null) return noQuotas;
  const quotas: CountedQuota[] = [];
  const common = { apiKeyId: id, ownerId };
  if (quota)
    quotas.push({ ...common, ...quota, kind: 'key', id: quotaId ?? id, resetAt: quotaResetAtMs, policy: quotaName });
  if (ownerQuota && ownerId !== null)
    quotas.push({
      ...common,
      ...ownerQuota,
      kind: 'owner',
      id: ownerId,
      resetAt: ownerQuotaResetAtMs,
      policy: `owner:${quotaName}`,
    });
  return quotas;
}
