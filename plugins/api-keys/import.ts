import { uuidv7 } from 'uuidv7';
import type { Quota } from '../limits/quota.js';
import type { ApiKeyRecord } from './key-fields.js';
import { limitColumnsOf } from './key-limits.js';
import type { Transaction } from './key-transaction.js';
import { withoutUndefined } from './without-undefined.js';

/** The largest number of keys in one import. */
export const maxImportedKeys = 1_000;

/** A key that was issued elsewhere, or exported. */
export interface ImportedKey
  extends Pick<ApiKeyRecord, 'name'>,
    Partial<Omit<ApiKeyRecord, 'name' | 'updatedAt' | 'metadata' | 'quota'>> {
  /** SHA-256 of the whole key, in lower-case hex. */
  digest: string;
  metadata?: ApiKeyRecord['metadata'] | undefined;
  quota?: Quota | null | undefined;
  /** Whether the key has another format than those of this service. */
  isForeign: boolean;
}

/** The fields of the history of a key, which only an administrator may set. */
export const historyFields = ['id', 'lastUsed', 'replaces', 'replacedBy'] as const;

/** `unchanged`: the database has a key of this digest, whatever its fields. */
export type ImportResult =
  | { status: 'created' | 'unchanged'; id: string }
  | { status: 'error'; path: string; message: string };

const columns = {
  id: 'text',
  key: 'text',
  start: 'text',
  name: 'text',
  scopes: 'text[]',
  active: 'boolean',
  expiresAt: 'timestamp(3)',
  rateLimitPerMinute: 'int',
  rateLimits: 'jsonb',
  quota: 'jsonb',
  ownerId: 'text',
  metadata: 'jsonb',
  allowedIps: 'text[]',
  createdAt: 'timestamp(3)',
  lastUsed: 'timestamp(3)',
  replaces: 'text',
  replacedBy: 'text',
  isForeign: 'boolean',
};
const names = Object.keys(columns)
  .map((name) => `"${name}"`)
  .join(', ');
const types = Object.entries(columns)
  .map(([name, type]) => `"${name}" ${type}`)
  .join(', ');

/** One statement for all keys: a trigger writes their events. */
const insert = (schema: string) => `
  WITH input AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS input (line int, ${types})
  ), stored AS (
    SELECT id, key FROM ${schema}.api_keys WHERE key IN (SELECT key FROM input)
  ), retired AS (
    SELECT key FROM ${schema}.retired_api_keys WHERE key IN (SELECT key FROM input)
  ), known AS (
    -- Ids of deleted keys as well: their events and requests must not become those of another key.
    SELECT DISTINCT "apiKeyId" AS id FROM ${schema}.api_key_events WHERE "apiKeyId" IN (SELECT id FROM input)
  ), inserted AS (
    INSERT INTO ${schema}.api_keys (${names}, "updatedAt")
    SELECT ${names}, now() AT TIME ZONE 'UTC' FROM input
    WHERE key NOT IN (SELECT key FROM retired) AND id NOT IN (SELECT id FROM known)
    ORDER BY line
    ON CONFLICT DO NOTHING
    RETURNING id, key
  )
  SELECT input.line, inserted.id AS "insertedId", stored.id AS "storedId", retired.key IS NOT NULL AS "isRetired"
  FROM input LEFT JOIN inserted USING (key) LEFT JOIN stored USING (key) LEFT JOIN retired USING (key)
  ORDER BY input.line`;

interface Row {
  line: number;
  insertedId: string | null;
  storedId: string | null;
  isRetired: boolean;
}

/**
 * Records keys as deleted, so that no import and no BOOTSTRAP_ADMIN_KEY creates them.
 *
 * @returns the digests of keys that are stored: they stay, and are not recorded
 */
export async function retireKeys(tx: Transaction, schema: string, digests: readonly string[]): Promise<Set<string>> {
  const rows = await tx.$queryRawUnsafe<{ key: string }[]>(
    `WITH stored AS (
       SELECT key FROM ${schema}.api_keys WHERE key = ANY($1)
     ), recorded AS (
       INSERT INTO ${schema}.retired_api_keys (key, "apiKeyId")
       SELECT digest, '' FROM unnest($1::text[]) AS digest WHERE digest NOT IN (SELECT key FROM stored)
       ON CONFLICT DO NOTHING
     )
     SELECT key FROM stored`,
    digests,
  );
  return new Set(rows.map(({ key }) => key));
}

/**
 * Stores keys that were issued elsewhere. A key that the database has stays as it is; one that was deleted is not restored.
 *
 * @param schema the PostgreSQL schema of the tables, quoted
 * @param keys at most `maxImportedKeys`
 * @returns a result for each key, in order
 */
export async function insertKeys(
  tx: Transaction,
  schema: string,
  keys: readonly ImportedKey[],
): Promise<ImportResult[]> {
  const rows = await tx.$queryRawUnsafe<Row[]>(insert(schema), JSON.stringify(keys.map(rowOf)));
  const created = new Set<string>();
  return rows.map(({ insertedId, storedId, isRetired }) => {
    if (storedId !== null) return { status: 'unchanged', id: storedId };
    if (isRetired) return { status: 'error', path: '', message: 'this key was deleted, and is not restored' };
    if (insertedId === null) return { status: 'error', path: '/id', message: 'is the id of another key' };
    const isFirst = !created.has(insertedId);
    created.add(insertedId);
    return { status: isFirst ? 'created' : 'unchanged', id: insertedId };
  });
}

function rowOf({ digest, ...key }: ImportedKey, line: number) {
  const defaults = { id: uuidv7(), start: '', scopes: [], active: true, allowedIps: [], createdAt: new Date() };
  return { line, ...defaults, ...withoutUndefined({ ...key, ...limitColumnsOf(key) }), key: digest };
}
