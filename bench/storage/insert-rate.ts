import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { insertOf } from '../../plugins/request-log/stores/postgres/insert.js';
import { idOfKey } from './fill.js';

const batchRows = 5_000;
export const rounds = 5;
export const roundMs = 2_000;

/** Rows a second. */
export interface InsertRates {
  empty: number;
  full: number;
}

/**
 * Measures how many new rows a second the service's insert statement writes over one connection. Alternates between an empty
 * log and a full one, because a disk's speed drifts.
 */
export async function insertRates(urls: Record<keyof InsertRates, string>, signal: AbortSignal): Promise<InsertRates> {
  const clients = { empty: new pg.Client(urls.empty), full: new pg.Client(urls.full) };
  const rates: Record<keyof InsertRates, number[]> = { empty: [], full: [] };
  try {
    for (const client of Object.values(clients)) await client.connect();
    // Writes out the pages that filling the log left in memory. Only a superuser may do this; otherwise it is skipped.
    await clients.full.query('CHECKPOINT').catch(() => {});
    // The first round does not count: after a checkpoint, the first change of a page writes the whole page to the WAL.
    for (let round = 0; round <= rounds; round++) {
      for (const name of ['empty', 'full'] as const) {
        const rate = await insertRate(clients[name], signal);
        if (round > 0) rates[name].push(rate);
      }
    }
    return { empty: median(rates.empty), full: median(rates.full) };
  } finally {
    for (const client of Object.values(clients)) await client.end();
  }
}

async function insertRate(client: pg.Client, signal: AbortSignal): Promise<number> {
  let written = 0;
  let spentMs = 0;
  while (spentMs < roundMs) {
    signal.throwIfAborted();
    const { rows, ms } = await insertBatch(client);
    spentMs += ms;
    written += rows;
  }
  return (written / spentMs) * 1000;
}

/** Writes one batch of new rows with the service's insert statement. */
export async function insertBatch(client: pg.Client): Promise<{ rows: number; ms: number }> {
  const query = insertOf(batchOfRecords(), 'prepared');
  const sentAt = performance.now();
  await client.query(query);
  return { rows: batchRows, ms: performance.now() - sentAt };
}

/** New records. */
export function batchOfRecords() {
  return Array.from({ length: batchRows }, record);
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
