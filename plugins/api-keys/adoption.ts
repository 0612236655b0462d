import type { PrismaClient } from '../prisma/generated/client.js';
import { type ApiKeyRecord, isUsable, type NewApiKey } from './key-fields.js';
import { digestOf } from './key-format.js';
import { databaseNow, type Reader, type Transaction } from './key-transaction.js';
import { worksAsAdmin } from './last-admin.js';

/**
 * The result of adopting a key that was generated elsewhere. `adopted`: it is stored now. `present`: it was stored, and works with
 * the given scopes. `revoked`: it was deleted, disabled or demoted, or has expired, and stays so.
 */
export type Adoption = 'adopted' | 'present' | 'revoked';

/** Whether the database has no key of this digest, and never had one. */
export async function isNew(database: Reader, digest: string): Promise<boolean> {
  const [stored, retired] = await Promise.all([
    database.apiKey.findUnique({ where: { key: digest }, select: { id: true } }),
    database.retiredApiKey.findUnique({ where: { key: digest }, select: { key: true } }),
  ]);
  return stored === null && retired === null;
}

/** The state of a key that is not new. */
export async function stateOf(database: Reader, digest: string, { scopes = [] }: NewApiKey): Promise<Adoption> {
  const select = { active: true, expiresAt: true, scopes: true };
  const stored = await database.apiKey.findUnique({ where: { key: digest }, select });
  const isWorking = stored !== null && isUsable(stored, await databaseNow(database));
  return isWorking && scopes.every((scope) => stored.scopes.includes(scope)) ? 'present' : 'revoked';
}

/** The migration writes this in place of the digest of a bootstrap key that was deleted before digests were kept. */
const unknownDigest = 'bootstrap:';

/**
 * In a database whose bootstrap key was deleted before digests were kept, the first new key counts as that key: most likely the
 * variable still has it.
 *
 * @returns whether the key counts as deleted
 */
export async function settleUnknownRetirements(tx: Transaction, digest: string): Promise<boolean> {
  const [one] = await tx.retiredApiKey.findMany({ where: { key: { startsWith: unknownDigest } }, take: 1 });
  if (!one) return false;
  await tx.retiredApiKey.deleteMany({ where: { key: { startsWith: unknownDigest } } });
  await tx.retiredApiKey.create({ data: { key: digest, apiKeyId: one.apiKeyId } });
  return true;
}

/** The admin keys that work and were adopted under this name, without `key` itself. */
export async function adoptedBefore(
  prisma: PrismaClient,
  name: string,
  key: string,
): Promise<Pick<ApiKeyRecord, 'id' | 'start'>[]> {
  const others = await prisma.apiKey.findMany({
    where: { ...worksAsAdmin(await databaseNow(prisma)), key: { not: digestOf(key) } },
    select: { id: true, start: true },
  });
  const created = await prisma.apiKeyEvent.findMany({
    where: {
      apiKeyId: { in: others.map(({ id }) => id) },
      ...{ action: 'created', actor: 'service', changes: { path: ['name', 'to'], equals: name } },
    },
    select: { apiKeyId: true },
  });
  return others.filter(({ id }) => created.some(({ apiKeyId }) => apiKeyId === id));
}
