import type { Server } from 'node:net';
import { join } from 'node:path';
import { DirectoryLockedError, lockDirectory } from '../../directory-lock.js';
import { socketDirectory } from '../../socket-path.js';

const lockName = 'lock';

/**
 * Takes the lock of a process's spool.
 *
 * @returns undefined when a live process has it
 */
export async function lockSpool(directory: string): Promise<Server | undefined> {
  const sockets = socketDirectory(directory, `${lockName}.12345678`);
  try {
    const lock = await lockDirectory(join(sockets.path, lockName));
    lock.once('close', () => sockets.remove());
    return lock;
  } catch (error) {
    sockets.remove();
    if (error instanceof DirectoryLockedError) return undefined;
    throw error;
  }
}
