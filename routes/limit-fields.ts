import { Type } from '@sinclair/typebox';
import type { AuthenticatedKey } from '../plugins/api-keys/index.js';
import { limitNamePattern, maxCost, maxLimits, maxRequests, maxWindowSeconds } from '../plugins/limits/limit.js';
import type { LimitState } from '../plugins/limits/limit-state.js';
import { maxQuota } from '../plugins/limits/quota.js';
import type { QuotaCounter } from '../plugins/limits/quota-counter.js';
import { described, nullable, oneOf, Timestamp } from './fields.js';

/** In a request: from 0 to 1,000. */
export const Cost = Type.Integer({
  minimum: 0,
  maximum: maxCost,
  description: 'How many requests this one counts for in limits and quotas; 0 checks without charging; default: 1',
});

const Limit = Type.Object(
  {
    name: Type.String({ pattern: limitNamePattern, description: '`minute` for 60 seconds; other names are your own' }),
    limit: Type.Integer({ minimum: 1, maximum: maxRequests, description: 'Requests in a window' }),
    windowSeconds: Type.Integer({ minimum: 1, maximum: maxWindowSeconds }),
  },
  { additionalProperties: false },
);
const description = 'A request must fit into every limit. A window starts with the first request.';
export const RateLimitsInput = Type.Array(Limit, {
  maxItems: maxLimits,
  description: `${description} Empty: the default of the service`,
  examples: [[{ name: 'second', limit: 10, windowSeconds: 1 }]],
});
export const limitProperties = { name: Type.String(), limit: Type.Integer(), windowSeconds: Type.Integer() };
export const RateLimits = Type.Array(Type.Object(limitProperties), {
  description: `${description} Empty: the default of the service applies`,
});
export const RateLimitStates = Type.Array(
  Type.Object({
    ...limitProperties,
    remaining: Type.Integer({ description: 'Remaining requests in the window' }),
    resetSeconds: Type.Integer({ description: 'Seconds until the window ends' }),
  }),
  { description: 'The limits of the key, and those of its owner as `owner:NAME`, after this request' },
);

export const QuotaInput = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: maxQuota, description: 'Requests in a period' }),
    period: described(oneOf('day', 'month'), 'A calendar day or month in UTC'),
  },
  { additionalProperties: false, examples: [{ limit: 100_000, period: 'month' }] },
);
export const QuotaState = Type.Object({
  limit: Type.Integer(),
  period: oneOf('day', 'month'),
  used: Type.Integer({
    description:
      'Cost of all requests since the period began or the quota was reset. Requests of the last flush interval may be missing',
  }),
  remaining: Type.Integer(),
  resetsAt: Timestamp,
});

/** The values of `RateLimitStates`. */
export function rateLimitStatesOf({ limits }: AuthenticatedKey, states: readonly LimitState[]) {
  return states
    .filter(({ policy }) => limits.some((limit) => limit.policy === policy))
    .map(({ policy: name, limit, windowSeconds, remaining, resetSeconds }) => ({
      ...{ name, limit, windowSeconds, remaining, resetSeconds },
    }));
}

/** The quota fields of a response. */
export const quotaFields = {
  quota: nullable(QuotaState, { description: 'The quota of the key; null: none' }),
  ownerQuota: nullable(QuotaState, { description: 'The quota of its owner; null: none' }),
};

/** The values of `quotaFields`. */
export function quotaStatesOf(quotas: QuotaCounter, key: AuthenticatedKey) {
  const stateOf = (kind: 'key' | 'owner') => {
    const quota = key.quotas.find((quota) => quota.kind === kind);
    return quota ? quotas.stateOf(quota) : null;
  };
  return { quota: stateOf('key'), ownerQuota: stateOf('owner') };
}

export const exampleRateLimitStates = [
  { name: 'minute', limit: 600, windowSeconds: 60, remaining: 599, resetSeconds: 42 },
];
export const exampleRateLimits = [{ name: 'minute', limit: 600, windowSeconds: 60 }];
export const exampleQuota = {
  limit: 100_000,
  period: 'month' as const,
  used: 4_711,
  remaining: 95_289,
  resetsAt: '2026-03-01T00:00:00.000Z',
};
