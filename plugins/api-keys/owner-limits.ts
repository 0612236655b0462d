import { clock } from '../clock.js';
import type { DatabaseHandle } from '../database/index.js';
import { type Limit, sortedByWindow } from '../limits/limit.js';
import { type Quota, type QuotaState, quotaStateOf } from '../limits/quota.js';
import type { QuotaTotal } from '../limits/quota-counter.js';
import type { PrismaClient } from '../prisma/generated/client.js';
import type { Actor } from './actor.js';
import { quotaTotalOf } from './counted-limits.js';
import { limitOrDenyAll } from './key-limits.js';
import { changeKeys, type Transaction } from './key-transaction.js';
import { assertMayManage } from './managed-scopes.js';
import { jsonOf } from './metadata.js';

/** Limits for all keys of an owner together. */
export interface OwnerLimits {
  ownerId: string;
  /** Shortest window first. Empty: none. */
  rateLimits: Limit[];
  quota: QuotaState | null;
}

/** All limits of an owner: those that are left out are removed. */
export interface OwnerLimitsChange {
  rateLimits?: Limit[] | undefined;
  quota?: Quota | null | undefined;
  /** Resets the quota to zero. */
  resetQuota?: boolean | undefined;
}

/** Reads and sets the limits of owners. @param onChange called with the owner after a change */
export function createOwnerLimits(
  prisma: PrismaClient,
  { pool, quotedSchema }: Pick<DatabaseHandle, 'pool' | 'quotedSchema'>,
  onChange: (ownerId: string) => void = () => {},
) {
  const query = `
    SELECT "rateLimits", quota, ${quotaTotalOf(quotedSchema, 'owner')} AS total FROM ${quotedSchema}.owner_limits AS owners
    WHERE "ownerId" = $1`;

  /** All scopes of the keys of an owner. */
  async function scopesOf(tx: Transaction, ownerId: string): Promise<string[]> {
    const rows = await tx.$queryRawUnsafe<{ scope: string }[]>(
      `SELECT DISTINCT unnest(scopes) AS scope FROM ${quotedSchema}.api_keys WHERE "ownerId" = $1`,
      ownerId,
    );
    return rows.map(({ scope }) => scope);
  }

  return {
    /** The limits of an owner; empty ones when none were set. */
    async getOwnerLimits(ownerId: string): Promise<OwnerLimits> {
      const { rows } = await pool.query<{ rateLimits: Limit[]; quota: Quota | null; total: QuotaTotal | null }>(query, [
        ownerId,
      ]);
      const { rateLimits = [], quota = null, total = null } = rows[0] ?? {};
      return {
        ownerId,
        rateLimits: rateLimits.map(limitOrDenyAll),
        quota: quota && quotaStateOf(quota, total?.used ?? 0, clock.now()),
      };
    },

    /** @throws scopeExceeded when a key of the owner has a scope that the actor lacks */
    async setOwnerLimits(
      ownerId: string,
      change: OwnerLimitsChange,
      by: Actor = { actor: 'service' },
    ): Promise<OwnerLimits> {
      const { rateLimits = [], quota = null, resetQuota } = change;
      try {
        await changeKeys(
          prisma,
          by,
          () => {},
          async (tx, _markChanged, now) => {
            assertMayManage(by, { scopes: await scopesOf(tx, ownerId) });
            const columns = {
              rateLimits: sortedByWindow(rateLimits) as object[],
              quota: jsonOf(quota && { limit: quota.limit, period: quota.period }),
              ...(resetQuota && { quotaResetAt: new Date(now) }),
            };
            await tx.ownerLimits.upsert({
              where: { ownerId },
              create: { ownerId, ...columns },
              update: columns,
              select: { ownerId: true },
            });
          },
        );
      } finally {
        // Also after an error: the commit may have succeeded although its response was lost.
        onChange(ownerId);
      }
      return this.getOwnerLimits(ownerId);
    },
  };
}
