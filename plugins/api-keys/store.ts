import { uuidv7 } from 'uuidv7';
import type { DatabaseHandle } from '../database/index.js';
import { maxLimits } from '../limits/limit.js';
import type { PrismaClient } from '../prisma/generated/client.js';
import type { Actor } from './actor.js';
import { type Adoption, adoptedBefore, isNew, settleUnknownRetirements, stateOf } from './adoption.js';
import { expiryPassed, keyNotFound, keyReplaced, keyUnusable, scopeExceeded, tooManyLimits } from './errors.js';
import { createEventList } from './event-list.js';
import { exportKeys } from './export.js';
import { historyFields, type ImportedKey, type ImportResult, insertKeys, retireKeys } from './import.js';
import {
  type ApiKeyChange,
  type ApiKeyRecord,
  type CreatedApiKey,
  isUsable,
  type NewApiKey,
  publicFields,
} from './key-fields.js';
import { digestOf, generateKey, prefixOf, startOf } from './key-format.js';
import { limitColumnsOf, ownLimits, withoutMinute } from './key-limits.js';
import { findKeyIds, type KeyFilter } from './key-list.js';
import { keyRecordOf, withQuotaState, withQuotaUse } from './key-record.js';
import { changeKeys, type MarkChanged, type Transaction } from './key-transaction.js';
import { requireRemainingAdmin } from './last-admin.js';
import { assertMayManage, exceedingScope } from './managed-scopes.js';
import { jsonOf } from './metadata.js';
import { createOwnerLimits } from './owner-limits.js';
import { adminScope } from './scopes.js';
import { withoutUndefined } from './without-undefined.js';

export type ApiKeyStore = ReturnType<typeof createApiKeyStore>;

/** A page of a list of keys. */
export interface KeyPage {
  data: ApiKeyRecord[];
  /** Null on the last page. */
  nextCursor: string | null;
}

interface Force {
  /** Allows a change after which no admin key is left. */
  force?: boolean | undefined;
}

const serviceActor: Actor = { actor: 'service' };

/**
 * Creates the store of keys, for the service and the command line. A trigger writes the events of each change in the same
 * transaction.
 *
 * @param database the same database as that of `prisma`, for queries that Prisma cannot express
 * @param prefix of new keys
 * @param onChange called with the digest of each changed key after the commit
 * @param onOwnerChange called with each owner whose limits were changed
 */
export function createApiKeyStore(
  prisma: PrismaClient,
  database: Pick<DatabaseHandle, 'pool' | 'quotedSchema'>,
  prefix: string,
  onChange: MarkChanged = () => {},
  onOwnerChange: (ownerId: string) => void = () => {},
) {
  const change = <T>(by: Actor, work: (tx: Transaction, markChanged: MarkChanged, now: number) => Promise<T>) =>
    changeKeys(prisma, by, onChange, work);
  const read = async <Stored extends Parameters<typeof withQuotaUse>[1][number]>(key: Stored) =>
    (await withQuotaUse(database, [key]))[0] as Omit<Stored, 'quota'> & ApiKeyRecord;

  return {
    /**
     * @returns the new key, with its secret
     * @throws expiryPassed
     */
    create: (fields: NewApiKey, by: Actor = serviceActor): Promise<CreatedApiKey> =>
      change(by, async (tx, markChanged, now) => {
        assertMayManage(by, fields);
        if (fields.expiresAt && fields.expiresAt.getTime() <= now) throw expiryPassed();
        return withQuotaState(await insert(tx, markChanged, fields), 0);
      }),

    /** Stores a key that was generated elsewhere, unless the database has, or ever had, a key of the same digest. */
    async adopt(key: string, fields: NewApiKey, by: Actor = serviceActor): Promise<Adoption> {
      const digest = digestOf(key);
      // First without a transaction: a read-only database usually has the key.
      if (!(await isNew(prisma, digest))) return stateOf(prisma, digest, fields);
      return change(by, async (tx, markChanged) => {
        if (!(await isNew(tx, digest))) return stateOf(tx, digest, fields);
        if (await settleUnknownRetirements(tx, digest)) return 'revoked';
        markChanged(digest);
        await tx.apiKey.create({ data: rowOf(key, fields), select: { id: true } });
        return 'adopted';
      });
    },

    /**
     * Stores keys that were issued elsewhere, in one transaction. A key that the database has stays as it is.
     *
     * @param keys at most `maxImportedKeys`
     * @returns a result for each key, in order: an error does not affect the others
     */
    async importKeys(keys: readonly ImportedKey[], by: Actor = serviceActor): Promise<ImportResult[]> {
      const faults = keys.map((key) => importFault(by, key));
      const allowed = keys.filter((_, i) => faults[i] === undefined);
      const stored = await change(by, async (tx, markChanged) => {
        for (const { digest } of allowed) markChanged(digest);
        return insertKeys(tx, database.quotedSchema, allowed);
      });
      const results = stored.values();
      return faults.map((fault) => fault ?? (results.next().value as ImportResult));
    },

    /**
     * Records keys as deleted that were deleted in another service.
     *
     * @returns the digests of keys that this database has, which stay
     */
    retire: async (digests: readonly string[], by: Actor = serviceActor): Promise<Set<string>> =>
      digests.length === 0 ? new Set() : change(by, (tx) => retireKeys(tx, database.quotedSchema, digests)),

    /** All keys as NDJSON for an import. @param onKeys called after each page of keys, with their number */
    exportKeys: (onKeys?: (count: number) => void) => exportKeys(prisma, onKeys),

    adoptedBefore: (name: string, key: string) => adoptedBefore(prisma, name, key),

    isEmpty: async (): Promise<boolean> => (await prisma.apiKey.findFirst({ select: { id: true } })) === null,

    /**
     * Newest first. The cursor holds under any filter.
     *
     * @param page.cursor the last id of the previous page
     */
    async list({ limit, ...page }: { limit: number; cursor?: string | undefined } & KeyFilter): Promise<KeyPage> {
      const found = await findKeyIds(database, { ...page, limit: limit + 1 });
      const ids = found.slice(0, limit);
      const records = await prisma.apiKey.findMany({
        where: { id: { in: ids } },
        orderBy: { id: 'desc' },
        select: publicFields,
      });
      // From the ids: a key that was deleted between the queries does not end the list.
      return {
        data: await withQuotaUse(database, records.map(keyRecordOf)),
        nextCursor: found.length > limit ? (ids.at(-1) ?? null) : null,
      };
    },

    /** @throws keyNotFound */
    async get(id: string): Promise<ApiKeyRecord> {
      return read(keyRecordOf(found(await prisma.apiKey.findUnique({ where: { id }, select: publicFields }))));
    },

    /** The SHA-256 of a key. @throws keyNotFound */
    async digestById(id: string): Promise<string> {
      return found(await prisma.apiKey.findUnique({ where: { id }, select: { key: true } })).key;
    },

    /**
     * @throws keyNotFound
     * @throws lastAdminKey
     * @throws scopeExceeded
     */
    update: async (
      id: string,
      data: ApiKeyChange,
      by: Actor = serviceActor,
      { force }: Force = {},
    ): Promise<ApiKeyRecord> =>
      read(
        await change(by, async (tx, markChanged, now) => {
          const old = await find(tx, markChanged, id);
          assertMayManage(by, old);
          assertMayManage(by, data);
          const stored = { rateLimitPerMinute: old.rateLimitPerMinute, rateLimits: withoutMinute(old.rateLimits) };
          if (ownLimits({ ...stored, ...withoutUndefined(limitColumnsOf(data)) }).length > maxLimits)
            throw tooManyLimits();
          const update = async () =>
            keyRecordOf(await tx.apiKey.update({ where: { id }, data: columnsOf(data, now), select: publicFields }));
          return force ? update() : requireRemainingAdmin(tx, now, update);
        }),
      ),

    /**
     * @throws keyNotFound
     * @throws lastAdminKey
     */
    remove: (id: string, by: Actor = serviceActor, { force }: Force = {}): Promise<void> =>
      change(by, async (tx, markChanged, now) => {
        assertMayManage(by, await find(tx, markChanged, id));
        const remove = () => tx.apiKey.delete({ where: { id }, select: { id: true } });
        await (force ? remove() : requireRemainingAdmin(tx, now, remove));
      }),

    /**
     * Creates a key with the fields and prefix of another, which then expires after a grace period.
     *
     * @param graceSeconds the grace period; an earlier expiry of the old key stays
     * @returns the new key, with its secret
     * @throws keyNotFound
     * @throws keyUnusable when the old key is disabled or has expired
     * @throws keyReplaced when the old key was rotated before, and its successor exists
     */
    async rotate(id: string, graceSeconds: number, by: Actor = serviceActor): Promise<CreatedApiKey> {
      // First: a query that fails after the commit would lose the new key.
      const { quota } = await this.get(id);
      return change(by, async (tx, markChanged, now) => {
        const { quotaId, quotaResetAt, ...old } = await find(tx, markChanged, id);
        assertMayManage(by, old);
        if (!isUsable(old, now)) throw keyUnusable();
        if (old.replacedBy !== null && (await exists(tx, old.replacedBy))) throw keyReplaced(old.replacedBy);
        const fields = { ...old, prefix: prefixOf(old.start), replaces: id };
        const created = await insert(tx, markChanged, fields, { quotaId: quotaId ?? id, quotaResetAt });
        const endsAt = Math.min(now + graceSeconds * 1_000, old.expiresAt?.getTime() ?? Infinity);
        const data = { replacedBy: created.id, expiresAt: new Date(endsAt) };
        await tx.apiKey.update({ where: { id }, data, select: { id: true } });
        return withQuotaState(created, quota?.used ?? 0);
      });
    },

    ...createOwnerLimits(prisma, database, onOwnerChange),
    ...createEventList(prisma),
  };

  async function insert(tx: Transaction, markChanged: MarkChanged, fields: NewApiKey, sharedQuota: SharedQuota = {}) {
    const key = generateKey(fields.prefix ?? prefix);
    const data = { ...rowOf(key, fields), ...sharedQuota };
    markChanged(data.key);
    return { ...keyRecordOf(await tx.apiKey.create({ data, select: publicFields })), key };
  }
}

/** The count of the quota, which keys that were rotated into each other share. */
interface SharedQuota {
  quotaId?: string;
  quotaResetAt?: Date | null;
}

function rowOf(key: string, fields: NewApiKey) {
  const { name, scopes = [], expiresAt = null, replaces = null } = fields;
  const { ownerId = null, allowedIps = [] } = fields;
  return {
    id: uuidv7(),
    key: digestOf(key),
    start: startOf(key),
    ...{ name, scopes, expiresAt, replaces, ownerId, allowedIps },
    ...jsonColumnsOf(fields),
  };
}

/** @param now the database's time in milliseconds since 1970 */
function columnsOf({ resetQuota, ...data }: ApiKeyChange, now: number) {
  return { ...data, ...jsonColumnsOf(data), ...(resetQuota && { quotaResetAt: new Date(now) }) };
}

function jsonColumnsOf({ rateLimitPerMinute, rateLimits, quota, metadata }: NewApiKey | ApiKeyChange) {
  const limits = limitColumnsOf({ rateLimitPerMinute, rateLimits });
  return {
    rateLimitPerMinute: limits.rateLimitPerMinute,
    rateLimits: jsonOf(limits.rateLimits),
    quota: jsonOf(quota && { limit: quota.limit, period: quota.period }),
    metadata: jsonOf(metadata),
  };
}

async function find(tx: Transaction, markChanged: MarkChanged, id: string) {
  const select = { ...publicFields, key: true, quotaId: true, quotaResetAt: true };
  const { key, ...record } = found(await tx.apiKey.findUnique({ where: { id }, select }));
  markChanged(key);
  return keyRecordOf(record);
}

async function exists(tx: Transaction, id: string): Promise<boolean> {
  return (await tx.apiKey.findUnique({ where: { id }, select: { id: true } })) !== null;
}

function importFault(by: Actor, key: ImportedKey): ImportResult | undefined {
  const scope = exceedingScope(by, key);
  if (scope !== undefined) return { status: 'error', path: '/scopes', message: scopeExceeded(scope).message };
  const isAdmin = by.scopes === undefined || by.scopes.includes(adminScope);
  const field = isAdmin ? undefined : historyFields.find((name) => key[name] !== undefined);
  return field && { status: 'error', path: `/${field}`, message: 'requires the scope admin' };
}

function found<T>(record: T | null): T {
  if (record === null) throw keyNotFound();
  return record;
}
