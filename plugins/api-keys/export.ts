import type { PrismaClient } from '../prisma/generated/client.js';
import { publicFields } from './key-fields.js';
import { keyRecordOf } from './key-record.js';

const keysPerPage = 1_000;

/**
 * Exports all keys as NDJSON in the format of an import, with digests in place of the keys. The digests of deleted keys come first, so
 * that the importing service rejects these keys.
 *
 * @param onKeys called after each page of keys, with their number
 */
export async function* exportKeys(prisma: PrismaClient, onKeys: (count: number) => void = () => {}) {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page: { key: string }[] = await prisma.retiredApiKey.findMany({
      where: { key: { gt: after } },
      orderBy: { key: 'asc' },
      take: keysPerPage,
      select: { key: true },
    });
    after = page.at(-1)?.key;
    // Leaves out placeholders of bootstrap keys that were deleted before digests were stored (adoption.ts).
    const digests = page.map(({ key }) => key).filter((key) => /^[0-9a-f]{64}$/.test(key));
    yield digests.map((sha256) => `${JSON.stringify({ sha256, deleted: true })}\n`).join('');
  }
  for (let cursor: string | undefined; ; ) {
    const page = await prisma.apiKey.findMany({
      where: cursor === undefined ? {} : { id: { lt: cursor } },
      orderBy: { id: 'desc' },
      take: keysPerPage,
      select: { ...publicFields, key: true, isForeign: true },
    });
    cursor = page.at(-1)?.id;
    if (cursor === undefined) return;
    yield page.map((row) => lineOf(keyRecordOf(row))).join('');
    onKeys(page.length);
  }
}

function lineOf({ key, isForeign, updatedAt: _, ...fields }: { key: string; isForeign: boolean; updatedAt: Date }) {
  return `${JSON.stringify({ sha256: key, format: isForeign ? 'other' : 'musicez', ...fields })}\n`;
}
