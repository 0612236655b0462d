import { crc32 } from 'node:zlib';
import type { QuotaCharge } from '../../limits/quota-counter.js';
import type { RecordedVerification, RequestRecord } from '../record.js';

/**
 * The header of a spool file. Each record follows with its length and its CRC-32 (both unsigned, 32 bits, little-endian), and as JSON.
 */
export const fileHead = Buffer.from('MEZLOG1\n');

const frameHeadBytes = 8;
/** The longest record. A larger length means that the file is damaged. */
const maxRecordBytes = 64 * 1024;

/** The records of a file as bytes, up to its end or to the first damaged byte. */
export interface Scanned {
  bodies: Buffer[];
  /** The size of the intact part. */
  wholeBytes: number;
  /** `torn`: the last record is incomplete, as after the process was killed. */
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

/**
 * Parses a record of any version. Missing and invalid fields get defaults, so that one record cannot block those behind it.
 *
 * @returns undefined for invalid JSON, and without a valid id
 */
export function decode(body: Buffer): RequestRecord | undefined {
  let parsed: Partial<RequestRecord> | null;
  try {
    parsed = JSON.parse(body.toString());
  } catch {
    return undefined;
  }
  if (typeof parsed?.id !== 'string' || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(parsed.id))
    return undefined;
  const { id, method, path, route, statusCode, durationMs, ip, userAgent, apiKeyId, ownerId, outcome } = parsed;
  return {
    id,
    method: typeof method === 'string' && /^[A-Z-]{1,32}$/.test(method) ? method : 'GET',
    path: textOf(path) ?? '',
    route: textOf(route) ?? '',
    statusCode: Number.isInteger(statusCode) ? (statusCode as number) : 0,
    durationMs: Number.isFinite(durationMs) ? (durationMs as number) : 0,
    ip: textOf(ip) ?? '',
    userAgent: textOf(userAgent),
    apiKeyId: textOf(apiKeyId),
    ownerId: textOf(ownerId),
    outcome: textOf(outcome),
    verification: verificationOf(parsed.verification),
    charges: Array.isArray(parsed.charges) ? parsed.charges.filter(isCharge) : [],
    traceId: textOf(parsed.traceId),
  };
}

function isCharge(value: unknown): value is QuotaCharge {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, id, start, units, replica } = value as Partial<QuotaCharge>;
  const isText = typeof id === 'string' && typeof replica === 'string';
  return (kind === 'key' || kind === 'owner') && isText && Number.isSafeInteger(start) && Number.isSafeInteger(units);
}

function verificationOf(value: unknown): RecordedVerification | null {
  if (typeof value !== 'object' || value === null) return null;
  const { apiKeyId, ownerId, outcome, client } = value as Partial<RecordedVerification>;
  if (typeof outcome !== 'string' || typeof client !== 'object' || client === null) return null;
  return { apiKeyId: textOf(apiKeyId), ownerId: textOf(ownerId), outcome, client };
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
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

/** @returns undefined when there is no complete record at this offset */
function endOfFrame(file: Buffer, at: number): number | undefined {
  if (file.length - at < frameHeadBytes) return undefined;
  const end = at + frameHeadBytes + file.readUInt32LE(at);
  const body = file.subarray(at + frameHeadBytes, end);
  const isWhole = body.length > 0 && end <= file.length && crc32(body) === file.readUInt32LE(at + 4);
  return isWhole ? end : undefined;
}

/** Whether the rest of the file can be an incomplete record, or reserved space. */
function isTornAt(file: Buffer, at: number): boolean {
  const rest = file.subarray(at);
  if (rest.length < frameHeadBytes || isBlank(rest)) return true;
  const length = rest.readUInt32LE(0);
  return length > 0 && length <= maxRecordBytes && frameHeadBytes + length >= rest.length;
}

/** After a power cut a file can have its length, but not its content. */
function isBlank(bytes: Buffer) {
  return bytes.every((byte) => byte === 0);
}
