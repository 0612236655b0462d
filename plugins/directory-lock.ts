import { randomUUID } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';

/** Another live process holds the lock. */
export class DirectoryLockedError extends Error {
  override name = 'DirectoryLockedError';
}

/**
 * Acquires a lock that the kernel releases when the process ends, also after `kill -9`: the process that listens on the Unix socket
 * holds it. A file with a process id would not work: in containers every process has the id 1.
 *
 * @param socketPath the path of the socket, at most 107 bytes
 * @returns the lock; closing it releases it
 * @throws DirectoryLockedError when a live process holds it
 */
export async function lockDirectory(socketPath: string): Promise<Server> {
  for (;;) {
    const lock = await listen(socketPath);
    if (lock) return lock;
    if (await isListening(socketPath)) throw new DirectoryLockedError(socketPath);
    await removeStale(socketPath);
  }
}

/** Renames the socket of an ended process before removing it, so that only one of two processes removes it. */
async function removeStale(socketPath: string) {
  const stalePath = `${socketPath}.${randomUUID().slice(0, 8)}`;
  await rename(socketPath, stalePath).catch(ignoreMissing);
  if (await isListening(stalePath)) {
    await rename(stalePath, socketPath);
    throw new DirectoryLockedError(socketPath);
  }
  await rm(stalePath, { force: true });
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

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function ignoreMissing(error: NodeJS.ErrnoException) {
  if (error.code !== 'ENOENT') throw error;
}
