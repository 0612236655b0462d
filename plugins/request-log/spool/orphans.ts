import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import { lockSpool } from './lock.js';

const segmentName = /^\d{8}\.spool$/;
/** The directory for damaged files. */
export const damagedDirectoryName = 'damaged';

/**
 * Finds the spool files of processes that have ended, oldest first, and removes their directories when they are empty. Errors are
 * logged; the files stay for the next start. Skips the spools of running processes, which hold a lock.
 *
 * @param root the directory of all spools
 * @param adopt moves a file into the spool of this process, or removes it when it has no records
 */
export async function adoptOrphans(root: string, log: FastifyBaseLogger, adopt: (path: string) => Promise<void>) {
  const names = await readdir(root).catch(() => []);
  for (const name of names.filter((name) => name !== damagedDirectoryName && !name.startsWith('.')).sort()) {
    await adoptFrom(join(root, name), log, adopt).catch((err) => {
      log.error({ err, directory: name }, 'request log: a spool could not be adopted completely');
    });
  }
}

async function adoptFrom(directory: string, log: FastifyBaseLogger, adopt: (path: string) => Promise<void>) {
  const lock = await lockSpool(directory);
  if (!lock) return;
  try {
    for (const name of (await readdir(directory)).filter((name) => segmentName.test(name)).sort()) {
      await adopt(join(directory, name)).catch((err) => {
        log.error({ err, directory, file: name }, 'request log: a spool file could not be adopted');
      });
    }
  } finally {
    await new Promise((resolve) => lock.close(resolve));
    // Fails when files are left in it.
    await rmdir(directory).catch(() => {});
  }
}
