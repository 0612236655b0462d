import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a directory, and those above it, for this user only. Node.js 20 does that as well, but never returns where the
 * kernel makes none, as in /proc, and calls a read-only disk a missing one.
 *
 * @returns whether it was not there before
 */
export async function makeDirectory(path: string): Promise<boolean> {
  const makeThis = () => mkdir(path, { mode: 0o700 });
  try {
    await makeThis();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeDirectory(dirname(path));
    await makeThis();
  }
  return true;
}

/** So that a new file in it survives a power cut, and not only what is in the file. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  await directory.sync().finally(() => directory.close());
}
