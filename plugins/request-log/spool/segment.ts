import { readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import { makeDirectory } from './directory.js';
import { type Scanned, scan } from './format.js';

/** One file of a spool. */
export interface Segment {
  path: string;
  /** How many records it has. */
  records: number;
  /** Up to where they are; what may be behind was never counted. */
  bytes: number;
  /** How many of them, from the first on, have been stored. */
  stored: number;
  /** How often it could not be read. */
  failures: number;
}

export function segmentOf(path: string, records: number, bytes: number): Segment {
  return { path, records, bytes, stored: 0, failures: 0 };
}

/**
 * Reads a file and, where the disk lets it, leaves it whole: a torn end is cut off; a damaged file is set aside for people
 * to look at, and what was good of it stays.
 *
 * @param asideDirectory where damaged files go
 * @param bytes how much of it counts; all of it, if not given
 * @throws what the file system says when it cannot be read
 */
export async function readSegment(
  path: string,
  asideDirectory: string,
  log: FastifyBaseLogger,
  bytes = Number.POSITIVE_INFINITY,
): Promise<Scanned> {
  const file = (await readFile(path)).subarray(0, bytes);
  const scanned = scan(file);
  const good = file.subarray(0, scanned.wholeBytes);
  try {
    if (scanned.state === 'torn') await truncate(path, good.length);
    if (scanned.state === 'damaged') {
      const aside = join(asideDirectory, `${basename(dirname(path))}-${basename(path)}`);
      await makeDirectory(asideDirectory);
      await rename(path, aside);
      log.error({ file: aside, good: scanned.bodies.length }, 'request log: a damaged spool file was set aside');
      if (scanned.bodies.length > 0) await writeFile(path, good, { mode: 0o600 });
    }
  } catch (err) {
    log.error({ err, file: path }, `request log: a ${scanned.state} spool file cannot be mended`);
  }
  return scanned;
}
