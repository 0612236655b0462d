import { crc32 } from 'node:zlib';
import type { QuotaCharge } from '../../limits/quota-counter.js';
import { visitWithPauses } from '../../pauses.js';
import { type Batch, sealed } from '../batch.js';
import type { RecordedVerification, RequestRecord } from '../record.js';

/**
 * The header of a spool file. Each record follows with its length and its CRC-32 (both unsigned, 32 bits, little-endian), and as JSON.
 * The first of records that were appended together has one more field with their number: `batch` if they were sent to the store before,
 * as one batch, else `unsent`. Versions without these fields ignore them.
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

/** @param wasSent whether the records are a batch that was sent */
export async function encode(records: readonly RequestRecord[], wasSent = false): Promise<Buffer> {
  const mark = { [wasSent ? 'batch' : 'unsent']: records.length };
  const frames: Buffer[] = [];
  await visitWithPauses(records, (record, i) => {
    const body = Buffer.from(JSON.stringify(i === 0 ? { ...record, ...mark } : record));
    const head = Buffer.allocUnsafe(frameHeadBytes);
    head.writeUInt32LE(body.length, 0);
    head.writeUInt32LE(crc32(body), 4);
    frames.push(head, body);
  });
  return Buffer.concat(frames);
}

type Parsed = Partial<RequestRecord & { batch: unknown; unsent: unknown }> | null;

/** Records of a file, in order, by how they can be divided into batches. */
type Run = { kind: 'batch' | 'unsent' | 'unmarked'; records: RequestRecord[] };

/**
 * Parses records of any version. Those without a valid id are left out. Always makes the same batches of the same records. Records
 * without a mark were spooled by an earlier version, which may have stored some of them: their batches have no id.
 */
export async function decode(bodies: readonly Buffer[], maxBatchRows: number): Promise<Batch[]> {
  const runs: Run[] = [];
  await visitWithPauses(bodies, (body) => {
    const parsed = parse(body);
    const record = recordFrom(parsed);
    if (!record) return;
    const last = runs.at(-1);
    const mark = parsed?.batch !== undefined ? 'batch' : parsed?.unsent !== undefined ? 'unsent' : undefined;
    const isFull = last === undefined || (last.kind !== 'batch' && last.records.length >= maxBatchRows);
    if (last && !isFull && (mark === undefined || (mark === 'unsent' && last.kind === 'unsent')))
      last.records.push(record);
    else runs.push({ kind: mark ?? last?.kind ?? 'unmarked', records: [record] });
  });
  return runs.map(({ kind, records }) => (kind === 'unmarked' ? { id: null, records } : sealed(records)));
}

function parse(body: Buffer): Parsed {
  try {
    return JSON.parse(body.toString());
  } catch {
    return null;
  }
}

/** Missing and invalid fields get defaults, so that one record cannot block those behind it. */
function recordFrom(parsed: Parsed): RequestRecord | undefined {
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
