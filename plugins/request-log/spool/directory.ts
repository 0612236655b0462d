import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Creates a directory and its parents, for this user only. In place of `mkdir` with `recursive`, which in Node.js 20 never returns in
 * directories such as /proc, and reports a read-only disk as a missing one.
 *
 * @returns whether the directory was created
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

/** Flushes a directory to disk, so that new files in it survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  await directory.sync().finally(() => directory.close());
}
