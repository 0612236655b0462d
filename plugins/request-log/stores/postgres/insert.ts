import type { QueryConfig } from 'pg';
import { timeInId } from '../../../time-ordered-id.js';
import { bucketOf } from '../../histogram.js';
import { checkedKeyOf, type RequestRecord } from '../../record.js';
import { arrayLiteral, SparseColumn, TextColumn } from './array-literal.js';
import { ChargeColumns } from './charges.js';
import { Counter } from './counter.js';
import { type InsertStatement, insertStatement } from './insert-statement.js';

/** The largest value of the column, 24 days. A stream can last longer. */
const maxDurationMs = 2 ** 31 - 1;
const minuteMs = 60_000;

/**
 * Creates the query that stores `records`. The time of arrival comes from the id. Serializes arrays itself, at a third of the cost of
 * `pg`. Also counts the requests for the statistics: PostgreSQL would need several times as long for that.
 *
 * @param mode `prepared`: a prepared statement; `unprepared`: behind a pooler that does not keep prepared statements
 * @param schema the PostgreSQL schema of the tables, quoted
 * @param batchId the id of the batch, if a row with this id means that all of it is stored
 */
export function insertOf(
  records: readonly RequestRecord[],
  mode: keyof InsertStatement,
  schema = 'public',
  batchId = records[0]?.id ?? null,
): QueryConfig {
  const ids: string[] = [];
  const methods: string[] = [];
  const paths = new TextColumn();
  const statuses: number[] = [];
  const durations: number[] = [];
  const ips = new TextColumn();
  const agents = new TextColumn();
  const keyIds = new TextColumn();
  const arrivals: number[] = [];
  const routes = new TextColumn();
  const outcomes = new TextColumn();
  const owners = new SparseColumn();
  const verifiedIds = new SparseColumn();
  const verifications = new SparseColumn();
  const traces = new SparseColumn();
  const durationCounts = new Counter<[minute: number, route: string, method: string, status: number, bucket: number]>(
    5,
  );
  const keyCounts = new Counter<[minute: number, key: string, error: 0 | 1]>(3);
  const checkCounts = new Counter<[minute: number, key: string, owner: string, outcome: string]>(4);
  const charges = new ChargeColumns();
  for (let row = 0; row < records.length; row++) {
    const record = records[row] as RequestRecord;
    const { method, route, statusCode, durationMs, apiKeyId, traceId } = record;
    const { outcome, ownerId, verifiedApiKeyId, verification } = checkedKeyOf(record);
    const arrival = timeInId(record.id);
    ids.push(record.id);
    methods.push(method);
    paths.push(record.path);
    statuses.push(statusCode);
    durations.push(Math.min(Math.round(durationMs), maxDurationMs));
    ips.push(record.ip);
    agents.push(record.userAgent);
    keyIds.push(apiKeyId);
    arrivals.push(arrival);
    routes.push(route);
    outcomes.push(outcome);
    if (ownerId !== null) owners.set(row, ownerId);
    if (verifiedApiKeyId !== null) verifiedIds.set(row, verifiedApiKeyId);
    if (verification !== null) verifications.set(row, JSON.stringify(verification));
    if (traceId !== null) traces.set(row, traceId);

    const minute = Math.floor(arrival / minuteMs);
    durationCounts.add(minute, route, method, statusCode, bucketOf(durationMs));
    if (apiKeyId !== null) keyCounts.add(minute, apiKeyId, statusCode >= 500 ? 1 : 0);
    if (apiKeyId !== null && outcome !== null)
      checkCounts.add(minute, apiKeyId, record.ownerId ?? '', verification === null ? outcome : 'VALID');
    if (verifiedApiKeyId !== null && outcome !== null)
      checkCounts.add(minute, verifiedApiKeyId, ownerId ?? '', outcome);
    for (const charge of record.charges) charges.push(charge);
  }
  return {
    ...insertStatement(schema)[mode],
    values: [
      ...[ids, methods].map(arrayLiteral),
      paths.toLiteral(),
      ...[statuses, durations].map(arrayLiteral),
      ...[ips, agents, keyIds].map((column) => column.toLiteral()),
      arrayLiteral(arrivals),
      ...[routes, outcomes, owners, verifiedIds, verifications, traces].map((column) => column.toLiteral()),
      ...[durationCounts, keyCounts, checkCounts].flatMap((counts) => counts.toLiterals()),
      batchId,
      ...charges.toLiterals(),
    ],
  };
}

/**
 * Whether an error means that the server session has changed, as behind a pooler in transaction mode: a prepared statement is missing,
 * or exists unexpectedly.
 */
export function isPreparedStatementError(error: unknown): boolean {
  return ['26000', '42P05'].includes(String((error as { code?: unknown }).code));
}
