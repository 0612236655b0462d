import { randomUUID } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';

/** Another live process holds the lock. */
export class DirectoryLockedError extends Error {
  override name = 'DirectoryLockedError';
}

/**
 * Takes a lock that the kernel lets go of with the process, `kill -9` included: whoever listens on the Unix socket holds
 * it. A file with a process id would not do, for in a container every process is number 1.
 *
 * @param socketPath the lock, at most 107 bytes
 * @returns the lock; closing it lets go
 * @throws DirectoryLockedError when a live process holds it
 */
export async function lockDirectory(socketPath: string): Promise<Server> {
  for (;;) {
    const lock = await listen(socketPath);
    if (lock) return lock;
    if (await answers(socketPath)) throw new DirectoryLockedError(socketPath);
    await removeDead(socketPath);
  }
}

/** Moves the socket aside before removing it, so that of two processes that find it dead only one removes it. */
async function removeDead(socketPath: string) {
  const aside = `${socketPath}.${randomUUID().slice(0, 8)}`;
  await rename(socketPath, aside).catch(ignoreMissing);
  if (await answers(aside)) {
    await rename(aside, socketPath);
    throw new DirectoryLockedError(socketPath);
  }
  await rm(aside, { force: true });
}

function listen(path: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(null) : reject(error),
    );
    server.listen(path, () => resolve(server.unref()));
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function ignoreMissing(error: NodeJS.ErrnoException) {
  if (error.code !== 'ENOENT') throw error;
}
