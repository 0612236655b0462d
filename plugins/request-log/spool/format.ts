import { crc32 } from 'node:zlib';
import type { RequestRecord } from '../record.js';

/**
 * A spool file: these bytes, then for each record its length and its CRC-32 (both unsigned, 32 bits, little-endian) and
 * the record as JSON.
 */
export const fileHead = Buffer.from('MEZLOG1\n');

const frameHeadBytes = 8;
/** No record is longer; a length beyond is damage. */
const longestRecordBytes = 64 * 1024;

/** The records of a file, still as bytes, up to its end or to the first byte that is not as it was written. */
export interface Scanned {
  bodies: Buffer[];
  /** Up to where the file is whole. */
  wholeBytes: number;
  /** `torn`: the last record was not written to its end, as when the process was killed. */
  state: 'whole' | 'torn' | 'damaged';
}

export function encode(records: readonly RequestRecord[]): Buffer {
  return Buffer.concat(
    records.flatMap((record) => {
      const body = Buffer.from(JSON.stringify(record));
      const head = Buffer.allocUnsafe(frameHeadBytes);
      head.writeUInt32LE(body.length, 0);
      head.writeUInt32LE(crc32(body), 4);
      return [head, body];
    }),
  );
}

export function decode(body: Buffer): RequestRecord {
  return JSON.parse(body.toString());
}

export function scan(file: Buffer): Scanned {
  const bodies: Buffer[] = [];
  if (!file.subarray(0, fileHead.length).equals(fileHead)) {
    const isTorn = fileHead.subarray(0, file.length).equals(file) || isBlank(file);
    return { bodies, wholeBytes: 0, state: isTorn ? 'torn' : 'damaged' };
  }
  let at = fileHead.length;
  while (at < file.length) {
    const end = endOfFrame(file, at);
    if (end === undefined) return { bodies, wholeBytes: at, state: isTornAt(file, at) ? 'torn' : 'damaged' };
    bodies.push(file.subarray(at + frameHeadBytes, end));
    at = end;
  }
  return { bodies, wholeBytes: at, state: 'whole' };
}

/** @returns undefined when there is no whole record at this place */
function endOfFrame(file: Buffer, at: number): number | undefined {
  if (file.length - at < frameHeadBytes) return undefined;
  const end = at + frameHeadBytes + file.readUInt32LE(at);
  const body = file.subarray(at + frameHeadBytes, end);
  const isWhole = body.length > 0 && end <= file.length && crc32(body) === file.readUInt32LE(at + 4);
  return isWhole ? end : undefined;
}

/** Whether what is there can be the beginning of a record, or room for one, and nothing follows it. */
function isTornAt(file: Buffer, at: number): boolean {
  const rest = file.subarray(at);
  if (rest.length < frameHeadBytes || isBlank(rest)) return true;
  const length = rest.readUInt32LE(0);
  return length > 0 && length <= longestRecordBytes && frameHeadBytes + length >= rest.length;
}

/** After a power cut a file may have its length before its content. */
function isBlank(bytes: Buffer) {
  return bytes.every((byte) => byte === 0);
}
