import { open, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { CommandError } from './command-line.js';

/** The output of an export. */
export interface Output {
  stream: Writable;
  /** Removes a partial file. */
  discard(): Promise<void>;
}

/**
 * @param force overwrites an existing file
 * @throws CommandError when the output cannot be written
 */
export async function openFile(name: string, force: boolean): Promise<Output> {
  const file = await open(name, force ? 'w' : 'wx').catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(
      error.code === 'EEXIST'
        ? `${name} exists already: choose another --output, or overwrite it with --force`
        : `cannot write ${name}: ${error.message}`,
    );
  });
  // Never removes a device such as /dev/null.
  const isRegularFile = (await file.stat()).isFile();
  return { stream: file.createWriteStream(), discard: async () => void (isRegularFile && (await rm(name))) };
}
