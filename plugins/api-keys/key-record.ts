import { clock } from '../clock.js';
import type { DatabaseHandle } from '../database/index.js';
import type { Limit } from '../limits/limit.js';
import { type Quota, quotaStateOf } from '../limits/quota.js';
import type { QuotaTotal } from '../limits/quota-counter.js';
import { quotaTotalOf } from './counted-limits.js';
import type { ApiKeyRecord, Metadata } from './key-fields.js';
import { ownLimits } from './key-limits.js';

/** A row as Prisma returns it. Check constraints hold the types of the JSON columns. */
interface JsonColumns {
  rateLimitPerMinute: number | null;
  rateLimits: unknown;
  quota: unknown;
  metadata: unknown;
}

/** Types the JSON columns of a row, and adds the per-minute limit to its limits. */
export function keyRecordOf<Row extends JsonColumns>(row: Row) {
  const rateLimits = ownLimits({ ...row, rateLimits: row.rateLimits as Limit[] | null });
  return { ...row, rateLimits, quota: row.quota as Quota | null, metadata: row.metadata as Metadata | null };
}

type Reader = Pick<DatabaseHandle, 'pool' | 'quotedSchema'>;
type StoredRecord = Omit<ApiKeyRecord, 'quota'> & { quota: Quota | null };

/** Adds to the quota of a key what was used of it. */
export function withQuotaState<Stored extends StoredRecord>(key: Stored, used: number) {
  return { ...key, quota: key.quota && quotaStateOf(key.quota, used, clock.now()) };
}

/** Reads what was used of the quotas of keys. Costs a query only if one of them has a quota. */
export async function withQuotaUse<Stored extends StoredRecord>({ pool, quotedSchema }: Reader, keys: Stored[]) {
  const ids = keys.filter(({ quota }) => quota !== null).map(({ id }) => id);
  const used = new Map<string, number>();
  if (ids.length > 0) {
    const { rows } = await pool.query<{ id: string; total: QuotaTotal | null }>(
      `SELECT id, ${quotaTotalOf(quotedSchema, 'key')} AS total FROM ${quotedSchema}.api_keys AS keys WHERE id = ANY($1)`,
      [ids],
    );
    for (const { id, total } of rows) used.set(id, total?.used ?? 0);
  }
  return keys.map((key) => withQuotaState(key, used.get(key.id) ?? 0));
}
