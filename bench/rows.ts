import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../plugins/database/open.js';
import { loadConfig } from '../src/config/index.js';
import type { Scratch } from './scratch.js';
import type { ServerProcess } from './server-process.js';

/** A server's own count of its records, from `/health`. */
export interface RecordCounts {
  accepted: number;
  written: number;
  buffered: number;
  /** Only of this service. */
  spooled?: number;
  dropped: number;
}

// Longer than the flush interval: the record of one `/health` request must be written before the next request.
const pollIntervalMs = 250;
const deadlineMs = 60_000;

/**
 * Waits until all records are written to the database.
 *
 * @throws when some still are after a minute, or when `signal` is aborted
 */
export async function waitUntilWritten(server: ServerProcess, signal: AbortSignal): Promise<RecordCounts> {
  const deadlineAt = performance.now() + deadlineMs;
  for (;;) {
    if (performance.now() > deadlineAt) throw new Error(`records are not written after ${deadlineMs} ms`);
    const response = await server.get('/health', signal);
    const { checks } = (await response.json()) as { checks: { requestLog: RecordCounts } };
    if (checks.requestLog.buffered + (checks.requestLog.spooled ?? 0) === 0) return checks.requestLog;
    await sleep(pollIntervalMs, undefined, { signal });
  }
}

/**
 * Counts the rows of requests for `/v1/me` that were answered with 200. The server of an embedded database must have ended:
 * only one process can open it.
 */
export async function countRows({ url, directory }: Scratch): Promise<number> {
  const options = loadConfig({}).database;
  const database = openDatabase({ ...options, url, dataDir: directory });
  try {
    await database.start(() => {});
    const { rows } = await database.pool.query<{ rows: number }>(
      `SELECT count(*)::int AS rows FROM request_logs WHERE path = '/v1/me' AND "statusCode" = 200`,
    );
    return rows[0]?.rows ?? 0;
  } finally {
    await database.close();
  }
}
