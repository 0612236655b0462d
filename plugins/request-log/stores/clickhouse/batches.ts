import { toUSVString } from 'node:util';
import type { FastifyBaseLogger } from 'fastify';
import { visitWithPauses } from '../../../pauses.js';
import { timeInId } from '../../../time-ordered-id.js';
import { type Batch, sealed } from '../../batch.js';
import { bucketOf } from '../../histogram.js';
import { checkedKeyOf, type RequestRecord } from '../../record.js';
import { halvesOf } from '../divide.js';
import { type ClickHouse, isDataError } from './client.js';

/** ClickHouse knows the tokens of the last 100,000 batches: for this long, at 166 batches a second. */
const tokenLifetimeMs = 600_000;
const maxInt32 = 2 ** 31 - 1;
/** A query has up to 256 KiB. */
const maxIdsInQuery = 1_000;

class UnstorableError extends Error {}

const columns = [
  ...['id', 'method', 'path', 'route', 'statusCode', 'duration', 'bucket', 'ip', 'userAgent', 'apiKeyId', 'outcome'],
  ...['ownerId', 'checkedOwnerId', 'verifiedApiKeyId', 'verification', 'traceId'],
];

/**
 * Stores a batch once. ClickHouse skips a batch with a known token, in the log and in each table of statistics. Of an old batch, and of
 * one of an earlier version, it adds the rows that are missing.
 *
 * @returns the records that ClickHouse rejects
 */
export async function writeBatch(
  clickHouse: ClickHouse,
  batch: Batch,
  log: FastifyBaseLogger,
): Promise<RequestRecord[]> {
  const { id, records } = batch;
  try {
    // ClickHouse would store another number.
    if (records.some(({ statusCode }) => Math.abs(statusCode) > maxInt32))
      throw new UnstorableError('the status is too large');
    if (id !== null && Date.now() - timeInId(id) < tokenLifetimeMs) await insert(clickHouse, records, id);
    else await insertMissing(clickHouse, records);
    return [];
  } catch (error) {
    if (!(error instanceof UnstorableError) && !isDataError(error)) throw error;
    if (records.length === 1) {
      const reason = (error as Error).message;
      log.error({ id: records[0]?.id, reason }, 'request log: the database rejects a record');
      return [...records];
    }
    const rejected: RequestRecord[] = [];
    for (const half of halvesOf(batch, isDataError(error))) rejected.push(...(await writeBatch(clickHouse, half, log)));
    return rejected;
  }
}

async function insertMissing(clickHouse: ClickHouse, records: readonly RequestRecord[]) {
  const known = await storedIds(
    clickHouse,
    records.map(({ id }) => id),
  );
  const missing = records.filter(({ id }) => !known.has(id));
  const { id } = sealed(missing);
  if (id !== null) await insert(clickHouse, missing, missing.length === records.length ? id : `${id}:missing`);
}

/** Those of the ids that are in the log. */
export async function storedIds(clickHouse: ClickHouse, all: readonly string[]): Promise<Set<string>> {
  const known = new Set<string>();
  for (let at = 0; at < all.length; at += maxIdsInQuery) {
    const ids = all.slice(at, at + maxIdsInQuery).map((id) => `'${id}'`);
    const stored = await clickHouse.rows<{ id: string }>(
      `SELECT id FROM request_logs WHERE UUIDToNum(id) IN (SELECT UUIDStringToNum(arrayJoin([${ids}])))`,
    );
    for (const { id } of stored) known.add(id);
  }
  return known;
}

async function insert(clickHouse: ClickHouse, records: readonly RequestRecord[], token: string) {
  const rows: string[] = [];
  await visitWithPauses(records, (record) => rows.push(JSON.stringify(rowOf(record))));
  await clickHouse.insert('request_logs', columns, rows, token);
}

/** The values of the columns; null is an empty text, except for user agents. */
function rowOf(record: RequestRecord): unknown[] {
  const { id, method, path, route, statusCode, durationMs, ip, userAgent, apiKeyId, ownerId, traceId } = record;
  const { outcome, ownerId: checkedOwnerId, verifiedApiKeyId, verification } = checkedKeyOf(record);
  return [
    ...[id, method, wellFormed(path), wellFormed(route), statusCode],
    ...[Math.min(Math.round(durationMs), maxInt32), bucketOf(durationMs)],
    ...[wellFormed(ip), userAgent === null ? null : wellFormed(userAgent), apiKeyId ?? '', outcome ?? ''],
    ...[wellFormed(ownerId ?? ''), wellFormed(checkedOwnerId ?? ''), verifiedApiKeyId ?? ''],
    ...[verification === null ? '' : wellFormed(JSON.stringify(verification)), traceId ?? ''],
  ];
}

/** Replaces lone surrogates, and removes NUL, as PostgreSQL has the text. */
function wellFormed(text: string): string {
  return toUSVString(text).replaceAll('\0', '');
}
