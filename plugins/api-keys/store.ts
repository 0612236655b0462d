import { uuidv7 } from 'uuidv7';
import type { PrismaClient } from '../prisma/generated/client.js';
import { digestOf, generateKey, startOf } from './key-format.js';

/** What the name of a key may be: one line without control characters or halves of characters. */
export const namePattern = '^[^\\u0000-\\u001f\\u007f\\ud800-\\udfff]{1,100}$';

/** What a scope may be. */
export const scopePattern = '^[a-z0-9:_.-]{1,64}$';

const told = {
  id: true,
  start: true,
  name: true,
  scopes: true,
  active: true,
  expiresAt: true,
  createdAt: true,
  updatedAt: true,
  lastUsed: true,
} as const;

/** A key as its administrators see it: everything but the key. */
export interface ApiKeyRecord {
  id: string;
  start: string;
  name: string;
  scopes: string[];
  active: boolean;
  expiresAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
  lastUsed: Date | null;
}

export interface NewApiKey {
  name: string;
  scopes?: string[];
  expiresAt?: Date | null;
}

export type ApiKeyChange = Partial<Pick<ApiKeyRecord, 'name' | 'scopes' | 'active' | 'expiresAt'>>;

export type ApiKeyStore = ReturnType<typeof createApiKeyStore>;

/**
 * The keys in the database, for the server and the command line.
 *
 * @param prefix of the keys that it makes
 * @param onChange told the digest of every key that it has changed, once the change holds
 */
export function createApiKeyStore(prisma: PrismaClient, prefix: string, onChange: (digest: string) => void = () => {}) {
  function rowOf(key: string, { name, scopes = [], expiresAt = null }: NewApiKey) {
    return { id: uuidv7(), key: digestOf(key), start: startOf(key, prefix), name, scopes, expiresAt };
  }

  return {
    /** @returns the new key, for the only time, and its record */
    async create(fields: NewApiKey): Promise<{ key: string; record: ApiKeyRecord }> {
      const key = generateKey(prefix);
      const data = rowOf(key, fields);
      const record = await prisma.apiKey.create({ data, select: told });
      onChange(data.key);
      return { key, record };
    },

    /** Stores a key that was made elsewhere; does nothing when it is there already, in whatever state. */
    async adopt(key: string, fields: NewApiKey): Promise<void> {
      const data = rowOf(key, fields);
      await prisma.apiKey.createMany({ data, skipDuplicates: true });
      onChange(data.key);
    },

    isEmpty: async (): Promise<boolean> => (await prisma.apiKey.findFirst({ select: { id: true } })) === null,

    /** @param cursor the last id of the page before */
    list: (limit: number, cursor?: string): Promise<ApiKeyRecord[]> =>
      prisma.apiKey.findMany({
        where: cursor === undefined ? {} : { id: { lt: cursor } },
        orderBy: { id: 'desc' },
        take: limit,
        select: told,
      }),

    get: (id: string): Promise<ApiKeyRecord | null> => prisma.apiKey.findUnique({ where: { id }, select: told }),

    /** @returns null when there is no such key */
    update: (id: string, data: ApiKeyChange): Promise<ApiKeyRecord | null> =>
      changing(id, async () => {
        const [record] = await prisma.apiKey.updateManyAndReturn({ where: { id }, data, select: told });
        return record ?? null;
      }),

    /** @returns whether there was such a key */
    remove: (id: string): Promise<boolean> =>
      changing(id, async () => (await prisma.apiKey.deleteMany({ where: { id } })).count > 0),
  };

  /** Tells of the change also when the answer is lost, for it may hold all the same. */
  async function changing<T>(id: string, change: () => Promise<T>): Promise<T> {
    const row = await prisma.apiKey.findUnique({ where: { id }, select: { key: true } });
    try {
      return await change();
    } finally {
      if (row) onChange(row.key);
    }
  }
}
