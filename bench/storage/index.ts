import { cpus } from 'node:os';
import pg from 'pg';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { withCleanup } from '../../scripts/cleanup.js';
import { version } from '../../src/config/index.js';
import { BenchError } from '../bench-error.js';
import type { BenchOptions } from '../options.js';
import type { Progress } from '../progress.js';
import { type Answered, measureQueries } from '../queries.js';
import { createScratch, nameOfDatabase } from '../scratch.js';
import { ServerProcess } from '../server-process.js';
import { service } from '../service.js';
import { type ClickHouseResults, fillClickHouse, measureClickHouse } from './clickhouse.js';
import { days, fill } from './fill.js';
import { type IndexBuild, measureIndexBuild } from './index-build.js';
import { type InsertRates, insertRates } from './insert-rate.js';
import { logQueries } from './queries.js';

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
  indexBuild: IndexBuild;
  /** Undefined: it was not asked for. */
  clickHouse: ClickHouseResults | undefined;
}

/**
 * Fills a log with `rows` and measures queries of this service, on PostgreSQL and on demand on ClickHouse with the same rows. Cleans up
 * also after an error.
 *
 * @throws BenchError without `url`
 */
export async function measureStorage(
  { rows, store, copies }: Pick<BenchOptions, 'rows' | 'store' | 'copies'>,
  url: string | undefined,
  progress: Progress,
  signal: AbortSignal,
) {
  if (url === undefined) throw new BenchError('--rows requires DATABASE_URL');
  const database = await nameOfDatabase(url);
  return withCleanup(async (defer): Promise<StorageResults> => {
    const key = generateKey('mez');
    const start = async (name: string, more: NodeJS.ProcessEnv = {}) => {
      const { url: scratchUrl = '', directory } = await createScratch(url, name, defer);
      const env = {
        DATABASE_URL: scratchUrl,
        DATA_DIR: directory,
        BOOTSTRAP_ADMIN_KEY: key,
        LOG_LEVEL: 'error',
        ...more,
      };
      const server = await ServerProcess.start(service, env, directory);
      defer(() => server.stop());
      await server.waitForOk('/readyz', signal);
      const client = new pg.Client(scratchUrl);
      await client.connect();
      defer(() => client.end());
      const queryValue = async <T>(sql: string) => (await client.query<{ value: T }>(sql)).rows[0]?.value as T;
      await waitForPartitions(queryValue);
      return { url: scratchUrl, server, queryValue };
    };
    const empty = await start('empty');
    const full = await start('full');
    const { server, queryValue } = full;

    const filledAt = performance.now();
    await fill(full.url, rows, progress, signal);
    const fillSeconds = (performance.now() - filledAt) / 1000;
    const bytes = await queryValue<string>(`SELECT pg_database_size(current_database()) AS value`);

    progress.begin('queries');
    const middle = await queryValue<string>(
      `SELECT request_logs_first_id((now() AT TIME ZONE 'UTC')::date - ${days / 2}) AS value`,
    );
    const pathOfMany = await queryValue<string>(
      `SELECT path AS value FROM request_logs WHERE id >= '${middle}' AND route = '/v1/orders/:id' ORDER BY id LIMIT 1`,
    );
    const queries = logQueries({ middle, pathOfMany });
    const answered = await measureQueries(server, key, queries, signal);
    progress.end('done');

    const clickHouse = store === 'clickhouse' ? await measureSameRows() : undefined;

    progress.begin('insert rates');
    const insertRate = await insertRates({ empty: empty.url, full: full.url }, signal);
    progress.end(`${perSecond(insertRate.empty)} empty, ${perSecond(insertRate.full)} full`);

    progress.begin('building an index');
    const indexBuild = await measureIndexBuild(full.url, signal);
    progress.end(`${indexBuild.seconds.toFixed(1)} s, ${perSecond(indexBuild.insertRate)} inserted during the build`);

    progress.begin('dropping a partition');
    const droppedAt = performance.now();
    const isDropped = await queryValue<boolean>(
      `SELECT request_logs_drop_day((now() AT TIME ZONE 'UTC')::date - ${days - 1}) AS value`,
    );
    const dropDayMs = performance.now() - droppedAt;
    if (!isDropped) throw new BenchError('there was no partition to drop');
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
      indexBuild,
      clickHouse,
    };

    async function measureSameRows() {
      const partitions = await queryValue<string[]>(
        `SELECT array_agg(inhrelid::regclass::text ORDER BY 1) AS value FROM pg_inherits WHERE inhparent = 'request_logs'::regclass`,
      );
      const filled = await fillClickHouse(full.url, partitions, progress, defer, signal);
      const other = await start('clickhouse', { REQUEST_LOG_URL: filled.url });
      await other.server.waitForOk('/v1/request-logs?limit=1', signal, { 'x-api-key': key });
      const measure = () => measureQueries(other.server, key, queries, signal);
      return measureClickHouse(filled, measure, copies, progress, signal);
    }
  });
}

/** Waits until the service has created the daily partitions, which it does after it is ready. */
async function waitForPartitions(queryValue: <T>(sql: string) => Promise<T>) {
  while (
    (await queryValue<number>(
      `SELECT count(*)::int AS value FROM pg_inherits WHERE inhparent = 'request_logs'::regclass`,
    )) < 9
  );
}

function perSecond(rate: number) {
  return `${Math.round(rate).toLocaleString('en-US')} rows/s`;
}
