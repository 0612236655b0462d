import { readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import type { RequestRecord } from '../record.js';
import { decode } from './format.js';
import { makeDirectory } from './make-directory.js';

/** One file of a spool. */
export interface Segment {
  path: string;
  /** How many records it has. */
  records: number;
  bytes: number;
}

/**
 * Reads a file and leaves it whole: a torn end is cut off; a damaged file is set aside for people to look at, and what was
 * good of it stays.
 *
 * @param asideDirectory where damaged files go
 */
export async function readSegment(
  path: string,
  asideDirectory: string,
  log: FastifyBaseLogger,
): Promise<{ records: RequestRecord[]; bytes: number }> {
  const file = await readFile(path);
  const { records, wholeBytes, state } = decode(file);
  if (state === 'torn') await truncate(path, wholeBytes);
  if (state === 'damaged') {
    const aside = join(asideDirectory, `${basename(dirname(path))}-${basename(path)}`);
    await makeDirectory(asideDirectory);
    await rename(path, aside);
    await writeFile(path, file.subarray(0, wholeBytes));
    log.error({ file: aside, good: records.length }, 'request log: a damaged spool file was set aside');
  }
  return { records, bytes: wholeBytes };
}
