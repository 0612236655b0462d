import { lastAdminKey } from './errors.js';
import type { Transaction } from './key-transaction.js';
import { adminScope } from './scopes.js';

/** The condition for admin keys that work. A rotated key does not count: its grace period ends. */
export function worksAsAdmin(now: number) {
  return {
    scopes: { has: adminScope },
    active: true,
    replacedBy: null,
    OR: [{ expiresAt: null }, { expiresAt: { gt: new Date(now) } }],
  };
}

/**
 * Runs a change, and rejects it when the last admin key would stop working earlier than before: nobody could then manage keys.
 *
 * @throws lastAdminKey
 */
export async function requireRemainingAdmin<T>(tx: Transaction, now: number, change: () => Promise<T>): Promise<T> {
  const before = await lastAdminExpiryMs(tx, now);
  const result = await change();
  if ((await lastAdminExpiryMs(tx, now)) < before) throw lastAdminKey();
  return result;
}

/** When the last admin key stops working, in milliseconds since 1970. */
async function lastAdminExpiryMs(tx: Transaction, now: number): Promise<number> {
  const longest = await tx.apiKey.findFirst({
    where: worksAsAdmin(now),
    orderBy: { expiresAt: { sort: 'desc', nulls: 'first' } },
    select: { expiresAt: true },
  });
  if (longest === null) return Number.NEGATIVE_INFINITY;
  return longest.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
}
