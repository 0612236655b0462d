import { cpus } from 'node:os';
import pg from 'pg';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { version } from '../../src/config/index.js';
import { BenchError } from '../bench-error.js';
import { withCleanup } from '../defer.js';
import type { Progress } from '../progress.js';
import { createScratch, nameOfDatabase } from '../scratch.js';
import { ServerProcess } from '../server-process.js';
import { service } from '../service.js';
import { days, fill } from './fill.js';
import { type InsertRates, insertRates } from './insert-rate.js';
import { type Answered, askAll } from './questions.js';

export interface StorageResults {
  musicez: string;
  node: string;
  cpu: string;
  database: string;
  rows: number;
  gigabytes: number;
  /** How long it took to fill the log. */
  fillSeconds: number;
  answered: Answered[];
  dropDayMs: number;
  insertRate: InsertRates;
}

/**
 * Fills a log with `rows` and asks this service about them. It leaves nothing behind, however it ends.
 *
 * @throws BenchError without a PostgreSQL
 */
export async function measureStorage(rows: number, url: string | undefined, progress: Progress, signal: AbortSignal) {
  if (url === undefined) throw new BenchError('--rows needs DATABASE_URL');
  const database = await nameOfDatabase(url);
  return withCleanup(async (defer): Promise<StorageResults> => {
    const key = generateKey('mez');
    const start = async (name: string) => {
      const { url: own = '', directory } = await createScratch(url, name, defer);
      const env = { DATABASE_URL: own, DATA_DIR: directory, BOOTSTRAP_ADMIN_KEY: key, LOG_LEVEL: 'error' };
      const server = await ServerProcess.start(service, env, directory);
      defer(() => server.stop());
      await server.answers('/readyz', signal);
      const client = new pg.Client(own);
      await client.connect();
      defer(() => client.end());
      const ask = async <T>(sql: string) => (await client.query<{ value: T }>(sql)).rows[0]?.value as T;
      await untilThereAreDays(ask);
      return { url: own, server, ask };
    };
    const empty = await start('empty');
    const full = await start('full');
    const { server, ask } = full;

    const filledAt = performance.now();
    await fill(full.url, rows, progress, signal);
    const fillSeconds = (performance.now() - filledAt) / 1000;
    const bytes = await ask<string>(`SELECT pg_database_size(current_database()) AS value`);

    progress.begin('questions');
    const middle = await ask<string>(
      `SELECT request_logs_first_id((now() AT TIME ZONE 'UTC')::date - ${days / 2}) AS value`,
    );
    const answered = await askAll(server, key, middle, signal);
    progress.end('answered');

    progress.begin('insert rates');
    const insertRate = await insertRates({ empty: empty.url, full: full.url }, signal);
    progress.end(`${perSecond(insertRate.empty)} empty, ${perSecond(insertRate.full)} full`);

    progress.begin('dropping a day');
    const droppedAt = performance.now();
    const isDropped = await ask<boolean>(
      `SELECT request_logs_drop_day((now() AT TIME ZONE 'UTC')::date - ${days - 1}) AS value`,
    );
    const dropDayMs = performance.now() - droppedAt;
    if (!isDropped) throw new BenchError('there was no day to drop');
    progress.end(`${Math.round(dropDayMs)} ms`);

    return {
      musicez: version,
      node: process.versions.node,
      cpu: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
      database,
      rows,
      gigabytes: Number(bytes) / 1e9,
      fillSeconds,
      answered,
      dropDayMs,
      insertRate,
    };
  });
}

/** The service makes them just after it is ready. */
async function untilThereAreDays(ask: <T>(sql: string) => Promise<T>) {
  while (
    (await ask<number>(`SELECT count(*)::int AS value FROM pg_inherits WHERE inhparent = 'request_logs'::regclass`)) < 9
  );
}

function perSecond(rate: number) {
  return `${Math.round(rate).toLocaleString('en-US')} rows/s`;
}
