import { open, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { CommandError } from './command-line.js';

/** Where an export goes. */
export interface Output {
  stream: Writable;
  /** Removes what has been written of it, if it is a file. */
  discard(): Promise<void>;
}

/**
 * @param force also when the file is there already, whose content is lost
 * @throws CommandError when it cannot be written
 */
export async function openFile(name: string, force: boolean): Promise<Output> {
  const file = await open(name, force ? 'w' : 'wx').catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(
      error.code === 'EEXIST'
        ? `${name} is there already: choose another --output, or write over it with --force`
        : `cannot write ${name}: ${error.message}`,
    );
  });
  // Not a device such as /dev/null, which is not ours to remove.
  const removable = (await file.stat()).isFile();
  return { stream: file.createWriteStream(), discard: async () => void (removable && (await rm(name))) };
}
