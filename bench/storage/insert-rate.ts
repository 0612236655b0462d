import pg from 'pg';
import pino from 'pino';
import { uuidv7 } from 'uuidv7';
import { type Batch, sealed } from '../../plugins/request-log/batch.js';
import type { RequestRecord } from '../../plugins/request-log/record.js';
import { BatchStore } from '../../plugins/request-log/stores/postgres/batch-store.js';
import { BenchError } from '../bench-error.js';
import { idOfKey } from './fill.js';

const batchRows = 5_000;
export const rounds = 5;
const roundMs = 2_000;

/** Rows a second. */
export interface InsertRates {
  empty: number;
  full: number;
}

type Write = (batch: Batch) => Promise<RequestRecord[]>;

/**
 * Measures how many new rows a second the service writes to PostgreSQL over one connection. Alternates between an empty log and a full
 * one, because a disk's speed drifts.
 */
export async function insertRates(urls: Record<keyof InsertRates, string>, signal: AbortSignal): Promise<InsertRates> {
  const pools = { empty: poolOf(urls.empty), full: poolOf(urls.full) };
  const rates: Record<keyof InsertRates, number[]> = { empty: [], full: [] };
  try {
    // Writes out the pages that filling the log left in memory. Only a superuser may do this; otherwise it is skipped.
    await pools.full.query('CHECKPOINT').catch(() => {});
    // The first round does not count: after a checkpoint, the first change of a page writes the whole page to the WAL.
    for (let round = 0; round <= rounds; round++) {
      for (const name of ['empty', 'full'] as const) {
        const rate = await insertRate(postgresWriter(pools[name]), signal);
        if (round > 0) rates[name].push(rate);
      }
    }
    return { empty: median(rates.empty), full: median(rates.full) };
  } finally {
    for (const pool of Object.values(pools)) await pool.end();
  }
}

/** A pool with one connection and no timeouts. */
export function poolOf(connectionString: string) {
  return new pg.Pool({ connectionString, max: 1 });
}

/** Writes batches to the schema `public` as the service does. */
export function postgresWriter(pool: pg.Pool): Write {
  const store = new BatchStore({ logPool: pool, quotedSchema: 'public' }, pino({ level: 'silent' }));
  return (batch) => store.write(batch);
}

/** Measures rows a second, one batch after the other. */
export async function insertRate(write: Write, signal: AbortSignal): Promise<number> {
  let written = 0;
  let spentMs = 0;
  while (spentMs < roundMs) {
    signal.throwIfAborted();
    const { rows, ms } = await insertBatch(write);
    spentMs += ms;
    written += rows;
  }
  return (written / spentMs) * 1000;
}

/** Writes one batch of new rows. @throws BenchError when rows are rejected */
export async function insertBatch(write: Write): Promise<{ rows: number; ms: number }> {
  const batch = sealed(Array.from({ length: batchRows }, record));
  const sentAt = performance.now();
  const rejected = await write(batch);
  const ms = performance.now() - sentAt;
  if (rejected.length > 0) throw new BenchError(`the database rejects ${rejected.length} rows`);
  return { rows: batchRows, ms };
}

export function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function record() {
  const n = Math.floor(Math.random() * 1_000);
  return {
    id: uuidv7(),
    method: 'GET',
    path: `/v1/orders/${n}`,
    route: '/v1/orders/:id',
    statusCode: n === 0 ? 500 : 200,
    durationMs: Math.random() * 100,
    ip: '127.0.0.1',
    userAgent: 'undici',
    apiKeyId: idOfKey((n % 40) + 1),
    ownerId: `customer-${n % 20}`,
    outcome: 'VALID',
    verification: null,
    charges: [],
    traceId: null,
  };
}
