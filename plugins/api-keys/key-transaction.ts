import type { Prisma, PrismaClient } from '../prisma/generated/client.js';
import type { Actor } from './actor.js';
import { keyNotFound } from './errors.js';

export type Transaction = Prisma.TransactionClient;
export type Reader = Pick<Transaction, 'apiKey' | 'retiredApiKey' | '$queryRaw'>;

/** Called with the digest of each key that a transaction changes. */
export type MarkChanged = (digest: string) => void;

/** Serializes all changes of keys, so that two of them cannot each remove one of the last two admin keys. */
const changeLock = 7_164_273;

/**
 * Runs a change of keys in one transaction. The trigger that writes the events of the change reads the actor from the setting
 * `musicez.actor`.
 *
 * @param work receives the transaction, a function to report changed keys, and the database's time in milliseconds since 1970
 * @param onChange called with the digest of each reported key, also after an error: the commit may have succeeded although its
 *   response was lost
 * @throws keyNotFound when the key was deleted in the meantime
 */
export async function changeKeys<T>(
  prisma: PrismaClient,
  by: Actor,
  onChange: MarkChanged,
  work: (tx: Transaction, markChanged: MarkChanged, now: number) => Promise<T>,
): Promise<T> {
  const digests = new Set<string>();
  try {
    return await prisma.$transaction(async (tx) => {
      const { actor: name, keyId, ip } = by;
      const actor = JSON.stringify({ actor: name, keyId, ip });
      await tx.$executeRaw`SELECT set_config('musicez.actor', ${actor}, true), pg_advisory_xact_lock(${changeLock})`;
      return await work(tx, (digest) => digests.add(digest), await databaseNow(tx));
    });
  } catch (error) {
    if ((error as { code?: unknown }).code === 'P2025') throw keyNotFound();
    throw error;
  } finally {
    for (const digest of digests) onChange(digest);
  }
}

/** The database's clock in milliseconds since 1970. It decides about expiry for all replicas. */
export async function databaseNow(database: Reader): Promise<number> {
  const [row] = await database.$queryRaw<{ now: number }[]>`
    SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now`;
  return row?.now ?? Number.NaN;
}
