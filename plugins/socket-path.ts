import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// sun_path on Linux holds 108 bytes with the terminator; macOS has 104.
const maxSocketPathBytes = 103;

/** A directory, by a path that is short enough for a Unix socket. */
export interface SocketDirectory {
  readonly path: string;
  /** Removes the link, if one was created. Call it when the path is no longer used. */
  remove(): void;
}

/**
 * Finds a path for sockets in a directory. When the directory's own path is too long, it creates a link in the temporary directory.
 *
 * @param name the longest file name of a socket in the directory
 */
export function socketDirectory(directory: string, name: string): SocketDirectory {
  if (Buffer.byteLength(join(directory, name)) <= maxSocketPathBytes) return { path: directory, remove() {} };
  const shortcut = mkdtempSync(join(tmpdir(), 'musicez-'));
  const path = join(shortcut, 'd');
  symlinkSync(directory, path);
  return { path, remove: () => rmSync(shortcut, { recursive: true, force: true }) };
}
