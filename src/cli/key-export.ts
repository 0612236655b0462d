import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ApiKeyStore } from '../../plugins/api-keys/store.js';
import { openFile } from './output.js';

/**
 * Writes all keys to a file, as lines of JSON that can be imported.
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
    const lines = store.exportKeys((keys) => {
      count += keys;
    });
    await pipeline(lines, file?.stream ?? stdout, { end: file !== undefined });
    return count;
  } catch (error) {
    await file?.discard();
    throw error;
  }
}
