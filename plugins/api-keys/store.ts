import { uuidv7 } from 'uuidv7';
import type { Prisma, PrismaClient } from '../prisma/generated/client.js';
import type { Actor } from './actor.js';
import { keyDead, keyNotFound, keyReplaced, lastAdminKey } from './errors.js';
import { digestOf, generateKey, startOf } from './key-format.js';

/** The scope that opens everything. */
export const adminScope = 'admin';

/** What the name of a key may be: one line without control characters or halves of characters. */
export const namePattern = '^[^\\u0000-\\u001f\\u007f\\ud800-\\udfff]{1,100}$';

/** What a scope may be. */
export const scopePattern = '^[a-z0-9:_.-]{1,64}$';

/** The highest limit that a key may have, in requests a minute. */
export const highestRateLimit = 1_000_000_000;

/** How long a rotated key goes on working, in seconds: unless told otherwise, and at the most. */
export const graceSeconds = { default: 86_400, max: 30 * 86_400 };

const told = {
  id: true,
  start: true,
  name: true,
  scopes: true,
  active: true,
  expiresAt: true,
  rateLimitPerMinute: true,
  replaces: true,
  replacedBy: true,
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
  /** Null: never. */
  expiresAt: Date | null;
  /** Null: the service's default. */
  rateLimitPerMinute: number | null;
  /** The id of the key that it was rotated from. */
  replaces: string | null;
  /** The id of the key that it was rotated to. */
  replacedBy: string | null;
  createdAt: Date;
  updatedAt: Date;
  lastUsed: Date | null;
}

export type NewApiKey = Pick<ApiKeyRecord, 'name'> &
  Partial<Pick<ApiKeyRecord, 'scopes' | 'expiresAt' | 'rateLimitPerMinute' | 'replaces'>>;

export type ApiKeyChange = Partial<
  Pick<ApiKeyRecord, 'name' | 'scopes' | 'active' | 'expiresAt' | 'rateLimitPerMinute'>
>;

/** A key with its secret, which nobody can tell again. */
export interface CreatedApiKey extends ApiKeyRecord {
  key: string;
}

/** Something that happened to a key. */
export interface ApiKeyEvent {
  id: string;
  apiKeyId: string;
  action: string;
  actor: string;
  actorKeyId: string | null;
  ip: string | null;
  /** By field, what it was and what it became; absent is null. */
  changes: Prisma.JsonValue;
  createdAt: Date;
}

interface Force {
  /** Also when no admin key would be left. */
  force?: boolean | undefined;
}

export type ApiKeyStore = ReturnType<typeof createApiKeyStore>;

const theService: Actor = { actor: 'service' };

/** Changes of keys wait for each other, so that two cannot each take away the last admin key but one. */
const changeLock = 7_164_273;

/**
 * The keys in the database, for the server and the command line. A change and its event, which a trigger writes, hold
 * together or not at all.
 *
 * @param prefix of the keys that it makes
 * @param onChange told the digest of every key that it has changed, once the change holds
 */
export function createApiKeyStore(prisma: PrismaClient, prefix: string, onChange: (digest: string) => void = () => {}) {
  return {
    /** @returns the new key, for the only time */
    create: (fields: NewApiKey, by: Actor = theService): Promise<CreatedApiKey> =>
      changing(by, (tx, changed) => insert(tx, changed, fields)),

    /** Stores a key that was made elsewhere; does nothing when it is there already, in whatever state. */
    adopt: (key: string, fields: NewApiKey, by: Actor = theService): Promise<void> =>
      changing(by, async (tx, changed) => {
        const data = rowOf(key, fields);
        changed(data.key);
        await tx.apiKey.createMany({ data, skipDuplicates: true });
      }),

    isEmpty: async (): Promise<boolean> => (await prisma.apiKey.findFirst({ select: { id: true } })) === null,

    /** @param cursor the last id of the page before */
    list: (limit: number, cursor?: string): Promise<ApiKeyRecord[]> =>
      prisma.apiKey.findMany({
        where: cursor === undefined ? {} : { id: { lt: cursor } },
        orderBy: { id: 'desc' },
        take: limit,
        select: told,
      }),

    /** @throws keyNotFound */
    async get(id: string): Promise<ApiKeyRecord> {
      return found(await prisma.apiKey.findUnique({ where: { id }, select: told }));
    },

    /**
     * @throws keyNotFound
     * @throws lastAdminKey
     */
    update: (id: string, change: ApiKeyChange, by: Actor = theService, { force }: Force = {}): Promise<ApiKeyRecord> =>
      changing(by, async (tx, changed) => {
        const before = await find(tx, changed, id);
        const after = await tx.apiKey.update({ where: { id }, data: change, select: told });
        if (!force) await keepAnAdmin(tx, before);
        return after;
      }),

    /**
     * @throws keyNotFound
     * @throws lastAdminKey
     */
    remove: (id: string, by: Actor = theService, { force }: Force = {}): Promise<void> =>
      changing(by, async (tx, changed) => {
        const before = await find(tx, changed, id);
        await tx.apiKey.delete({ where: { id } });
        if (!force) await keepAnAdmin(tx, before);
      }),

    /**
     * Makes a key that takes another's place: same name, scopes, limit and expiry. The old one goes on for a while.
     *
     * @param graceSeconds how long, unless it expires before
     * @returns the new key, for the only time
     * @throws keyNotFound
     * @throws keyDead when it does not work any more, so that nobody can bring it back
     * @throws keyReplaced when it has been rotated before
     */
    rotate: (id: string, graceSeconds: number, by: Actor = theService): Promise<CreatedApiKey> =>
      changing(by, async (tx, changed) => {
        const old = await find(tx, changed, id);
        const now = Date.now();
        if (!isAlive(old, now)) throw keyDead();
        if (old.replacedBy !== null) throw keyReplaced(old.replacedBy);
        const created = await insert(tx, changed, { ...old, replaces: id });
        const lastMoment = Math.min(now + graceSeconds * 1_000, old.expiresAt?.getTime() ?? Infinity);
        const data = { replacedBy: created.id, expiresAt: new Date(lastMoment) };
        await tx.apiKey.update({ where: { id }, data, select: { id: true } });
        return created;
      }),

    /**
     * What happened to a key, newest first; also to one that is gone.
     *
     * @param cursor the last id of the page before
     * @throws keyNotFound when nothing ever did
     */
    async events(apiKeyId: string, limit: number, cursor?: string): Promise<ApiKeyEvent[]> {
      const events = await prisma.apiKeyEvent.findMany({
        where: { apiKeyId, ...(cursor !== undefined && { id: { lt: cursor } }) },
        orderBy: { id: 'desc' },
        take: limit,
      });
      if (events.length === 0 && cursor === undefined) {
        found(await prisma.apiKey.findUnique({ where: { id: apiKeyId }, select: { id: true } }));
      }
      return events;
    },
  };

  /**
   * Runs a change in one transaction, in the actor's name.
   *
   * Tells of it also when the answer is lost, for it may hold all the same.
   */
  async function changing<T>(by: Actor, work: (tx: Transaction, changed: (digest: string) => void) => Promise<T>) {
    const digests = new Set<string>();
    try {
      return await prisma.$transaction(async (tx) => {
        const actor = JSON.stringify(by);
        await tx.$executeRaw`SELECT set_config('musicez.actor', ${actor}, true), pg_advisory_xact_lock(${changeLock})`;
        return await work(tx, (digest) => digests.add(digest));
      });
    } catch (error) {
      // Somebody else, in psql perhaps, has deleted the key meanwhile.
      if ((error as { code?: unknown }).code === 'P2025') throw keyNotFound();
      throw error;
    } finally {
      for (const digest of digests) onChange(digest);
    }
  }

  async function insert(tx: Transaction, changed: (digest: string) => void, fields: NewApiKey): Promise<CreatedApiKey> {
    const key = generateKey(prefix);
    const data = rowOf(key, fields);
    changed(data.key);
    return { ...(await tx.apiKey.create({ data, select: told })), key };
  }

  function rowOf(key: string, fields: NewApiKey) {
    const { name, scopes = [], expiresAt = null, rateLimitPerMinute = null, replaces = null } = fields;
    const id = uuidv7();
    return {
      id,
      key: digestOf(key),
      start: startOf(key, prefix),
      name,
      scopes,
      expiresAt,
      rateLimitPerMinute,
      replaces,
    };
  }
}

type Transaction = Prisma.TransactionClient;

async function find(tx: Transaction, changed: (digest: string) => void, id: string): Promise<ApiKeyRecord> {
  const { key, ...record } = found(await tx.apiKey.findUnique({ where: { id }, select: { ...told, key: true } }));
  changed(key);
  return record;
}

/**
 * Undoes a change that leaves nobody who could undo it. A key that has been replaced is on its way out and does not
 * count.
 */
async function keepAnAdmin(tx: Transaction, before: ApiKeyRecord) {
  const now = Date.now();
  if (!before.scopes.includes(adminScope) || !isAlive(before, now)) return;
  const other = await tx.apiKey.findFirst({
    where: {
      scopes: { has: adminScope },
      active: true,
      replacedBy: null,
      OR: [{ expiresAt: null }, { expiresAt: { gt: new Date(now) } }],
    },
    select: { id: true },
  });
  if (other === null) throw lastAdminKey();
}

function isAlive({ active, expiresAt }: Pick<ApiKeyRecord, 'active' | 'expiresAt'>, now: number) {
  return active && (expiresAt === null || expiresAt.getTime() > now);
}

function found<T>(record: T | null): T {
  if (record === null) throw keyNotFound();
  return record;
}
