import { readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import { makeDirectory } from './directory.js';
import { type Scanned, scan } from './format.js';

/** One file of a spool. */
export interface Segment {
  path: string;
  /** The number of records. */
  records: number;
  /** The size in bytes up to the last record. */
  bytes: number;
  /** How many records, from the first, are stored in the database. */
  stored: number;
  /** The number of read errors. */
  readFailures: number;
}

export function segmentOf(path: string, records: number, bytes: number): Segment {
  return { path, records, bytes, stored: 0, readFailures: 0 };
}

/**
 * Reads a file and repairs it: truncates an incomplete last record; moves a damaged file to another directory for inspection, and keeps
 * its intact records.
 *
 * @param damagedDirectory the directory for damaged files
 * @param bytes how much of the file to read; default: all
 * @throws the error of the file system when it cannot be read
 */
export async function readSegment(
  path: string,
  damagedDirectory: string,
  log: FastifyBaseLogger,
  bytes = Number.POSITIVE_INFINITY,
): Promise<Scanned> {
  const file = (await readFile(path)).subarray(0, bytes);
  const scanned = scan(file);
  const good = file.subarray(0, scanned.wholeBytes);
  try {
    if (scanned.state === 'torn') await truncate(path, good.length);
    if (scanned.state === 'damaged') {
      const damagedPath = join(damagedDirectory, `${basename(dirname(path))}-${basename(path)}`);
      await makeDirectory(damagedDirectory);
      await rename(path, damagedPath);
      log.error({ file: damagedPath, good: scanned.bodies.length }, 'request log: a damaged spool file was moved');
      if (scanned.bodies.length > 0) await writeFile(path, good, { mode: 0o600 });
    }
  } catch (err) {
    log.error({ err, file: path }, `request log: a ${scanned.state} spool file cannot be repaired`);
  }
  return scanned;
}
