import { chmodSync, existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';

const memoryDirectory = '/dev/shm';
const minimumFreeBytes = 4 * 2 ** 30;

/** Creates a directory that other users may read, removed when the test ends. @param test default: the whole file */
export function temporaryDirectory(test: { teardown: typeof t.teardown } = t): string {
  const directory = mkdtempSync(join(parentDirectory(), 'musicez-test-'));
  test.teardown(() => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o755);
  return directory;
}

/** Uses /dev/shm if it has enough space: writing the files of a database there takes an eighth of the time. */
function parentDirectory(): string {
  if (!existsSync(memoryDirectory)) return tmpdir();
  const { bavail, bsize } = statfsSync(memoryDirectory);
  return bavail * bsize > minimumFreeBytes ? memoryDirectory : tmpdir();
}
