import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../plugins/database/open.js';
import { loadConfig } from '../src/config/index.js';
import type { Scratch } from './scratch.js';
import type { ServerProcess } from './server-process.js';

/** A server's own count of its records, as `/health` has it. */
export interface RecordCounts {
  accepted: number;
  written: number;
  buffered: number;
  dropped: number;
}

// Longer than a record waits for its batch: the last question's own record must not be waiting at the next.
const pollEveryMs = 250;
const deadlineMs = 60_000;

/**
 * Waits until no record of a request is on its way to the database.
 *
 * @throws when some still are after a minute, or when `signal` is aborted
 */
export async function settled(server: ServerProcess, signal: AbortSignal): Promise<RecordCounts> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
  for (;;) {
    const response = await server.get('/health', deadline);
    const { checks } = (await response.json()) as { checks: { requestLog: RecordCounts } };
    if (checks.requestLog.buffered === 0) return checks.requestLog;
    await sleep(pollEveryMs, undefined, { signal: deadline });
  }
}

/**
 * Counts the rows of requests for `/v1/me` that were answered with 200. An embedded database has one owner: its server
 * must have ended.
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
