import type { Server } from 'node:net';
import { join } from 'node:path';
import { DirectoryLockedError, lockDirectory } from '../../directory-lock.js';
import { socketDirectory } from '../../socket-path.js';

const lockName = 'lock';

/**
 * Acquires the lock of a spool.
 *
 * @returns undefined when a running process holds it
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
