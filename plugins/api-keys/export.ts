import type { PrismaClient } from '../prisma/generated/client.js';
import { publicFields } from './key-fields.js';

const pageKeys = 1_000;

/**
 * All keys as lines of JSON, in the format of an import: with the digest of each key, not the key itself. First the digests of
 * deleted keys, so that the import restores none of them.
 *
 * @param onKeys called with the number of keys of each page
 */
export async function* exportKeys(prisma: PrismaClient, onKeys: (count: number) => void = () => {}) {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page: { key: string }[] = await prisma.retiredApiKey.findMany({
      where: { key: { gt: after } },
      orderBy: { key: 'asc' },
      take: pageKeys,
      select: { key: true },
    });
    after = page.at(-1)?.key;
    const digests = page.map(({ key }) => key).filter((key) => /^[0-9a-f]{64}$/.test(key));
    yield digests.map((sha256) => `${JSON.stringify({ sha256, deleted: true })}\n`).join('');
  }
  for (let cursor: string | undefined; ; ) {
    const page = await prisma.apiKey.findMany({
      where: cursor === undefined ? {} : { id: { lt: cursor } },
      orderBy: { id: 'desc' },
      take: pageKeys,
      select: { ...publicFields, key: true, isForeign: true },
    });
    cursor = page.at(-1)?.id;
    if (cursor === undefined) return;
    yield page.map(lineOf).join('');
    onKeys(page.length);
  }
}

function lineOf({ key, isForeign, updatedAt: _, ...fields }: { key: string; isForeign: boolean; updatedAt: Date }) {
  return `${JSON.stringify({ sha256: key, format: isForeign ? 'other' : 'musicez', ...fields })}\n`;
}
