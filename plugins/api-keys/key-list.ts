import type { DatabaseHandle } from '../database/index.js';

/** The shortest text to search for: the index has parts of three characters. */
export const minSearchLength = 3;

/** A key must match all of the given fields. */
export interface KeyFilter {
  /** One of these ids. */
  id?: string[] | undefined;
  ownerId?: string | undefined;
  /** A part of the start or of the name, in any case, of at least three characters. */
  q?: string | undefined;
  /** One of the key's scopes. */
  scope?: string | undefined;
  active?: boolean | undefined;
  expiresBefore?: Date | undefined;
  expiresAfter?: Date | undefined;
  /** Last used before this time, or never used and created before it. */
  lastUsedBefore?: Date | undefined;
}

const conditions: Record<keyof KeyFilter, (parameter: string, schema: string) => string> = {
  id: (parameter) => `id = ANY(${parameter}::text[])`,
  ownerId: (parameter) => `"ownerId" = ${parameter}::text`,
  // The trigrams find candidates by the index. Those of a prefix such as "mez" are left out, because most keys have them.
  q: (parameter, schema) => `${schema}.api_key_trigrams("start" || ' ' || "name") @> ${schema}.api_key_trigrams(
      regexp_replace(${parameter}::text, '^[a-z0-9]+(?=[a-z0-9]_.)', '', 'i'))
    AND position(lower(${parameter}::text) IN lower("start" || ' ' || "name")) > 0`,
  scope: (parameter) => `"scopes" @> ARRAY[${parameter}::text]`,
  active: (parameter) => `"active" = ${parameter}::boolean`,
  expiresBefore: (parameter) => `"expiresAt" < ${parameter}::timestamp`,
  expiresAfter: (parameter) => `"expiresAt" >= ${parameter}::timestamp`,
  // The day finds candidates by the index. A replica of an older version does not set it.
  lastUsedBefore: (parameter) => `coalesce("lastUsedDay", "createdAt"::date) <= ${parameter}::timestamp::date
    AND coalesce("lastUsed", "createdAt") < ${parameter}::timestamp`,
};

/**
 * Finds the ids of keys, newest first.
 *
 * @param cursor the last id of the previous page
 */
export async function findKeyIds(
  { pool, quotedSchema }: Pick<DatabaseHandle, 'pool' | 'quotedSchema'>,
  { limit, cursor, ...filter }: { limit: number; cursor?: string | undefined } & KeyFilter,
): Promise<string[]> {
  const where: string[] = [];
  const values: unknown[] = [];
  const parameter = (value: unknown) => `$${values.push(value)}`;
  if (cursor !== undefined) where.push(`id < ${parameter(cursor)}`);
  for (const name of Object.keys(conditions) as (keyof KeyFilter)[]) {
    const value = filter[name];
    if (value !== undefined) where.push(conditions[name](parameter(sqlOf(value)), quotedSchema));
  }
  const { rows } = await pool.query<{ id: string }>(
    `SELECT id FROM ${quotedSchema}.api_keys ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''}
     ORDER BY id DESC LIMIT ${parameter(limit)}`,
    values,
  );
  return rows.map(({ id }) => id);
}

/** The columns have UTC without a time zone, for which `pg` would send local time. */
function sqlOf(value: string | string[] | boolean | Date) {
  return value instanceof Date ? value.toISOString().slice(0, -1) : value;
}
