import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ApiKeyStore } from '../../plugins/api-keys/store.js';
import { openFile } from './output.js';

const pageKeys = 1_000;

/**
 * Writes all keys as lines of JSON, in the format of an import: with the digest of each key, not the key itself. First the digests of
 * deleted keys, so that the import restores none of them.
 *
 * @param output the file; undefined: standard output
 * @returns the number of keys
 * @throws CommandError when the file cannot be written
 */
export async function exportKeys(
  store: ApiKeyStore,
  { output, force }: { output: string | undefined; force: boolean },
  stdout: Writable,
): Promise<number> {
  const file = output === undefined ? undefined : await openFile(output, force);
  let count = 0;
  try {
    await pipeline(lines, file?.stream ?? stdout, { end: file !== undefined });
    return count;
  } catch (error) {
    await file?.discard();
    throw error;
  }

  async function* lines() {
    for (let after: string | undefined = ''; after !== undefined; ) {
      const page: string[] = await store.listRetired(pageKeys, after);
      after = page.at(-1);
      for (const sha256 of page)
        if (/^[0-9a-f]{64}$/.test(sha256)) yield `${JSON.stringify({ sha256, deleted: true })}\n`;
    }
    for (let cursor: string | undefined; ; ) {
      const page = await store.listWithDigests(pageKeys, cursor);
      cursor = page.at(-1)?.id;
      if (cursor === undefined) return;
      for (const { digest, isForeign, updatedAt: _, ...fields } of page)
        yield `${JSON.stringify({ sha256: digest, format: isForeign ? 'other' : 'musicez', ...fields })}\n`;
      count += page.length;
    }
  }
}
