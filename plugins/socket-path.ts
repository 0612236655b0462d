import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// sun_path on Linux holds 108 bytes with the terminator; macOS has 104.
const longestSocketPath = 103;

/** A directory as a Unix socket in it can name it. */
export interface SocketDirectory {
  readonly path: string;
  /** To be called when no socket is reached by this path any more. */
  remove(): void;
}

/**
 * A Unix socket's path is short by law. For a directory that is too deep, a link under the temporary directory leads to the
 * same place.
 *
 * @param name the longest name of a socket in it
 */
export function socketDirectory(directory: string, name: string): SocketDirectory {
  if (Buffer.byteLength(join(directory, name)) <= longestSocketPath) return { path: directory, remove() {} };
  const shortcut = mkdtempSync(join(tmpdir(), 'musicez-'));
  const path = join(shortcut, 'd');
  symlinkSync(directory, path);
  return { path, remove: () => rmSync(shortcut, { recursive: true, force: true }) };
}
