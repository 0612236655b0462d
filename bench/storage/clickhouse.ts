import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { sealed } from '../../plugins/request-log/batch.js';
import { writeBatch } from '../../plugins/request-log/stores/clickhouse/batches.js';
import { ClickHouse } from '../../plugins/request-log/stores/clickhouse/client.js';
import { migrate } from '../../plugins/request-log/stores/clickhouse/schema.js';
import type { Defer } from '../../scripts/cleanup.js';
import { isEngineInstalled, LocalClickHouse } from '../../scripts/clickhouse/server.js';
import { BenchError } from '../bench-error.js';
import type { Progress } from '../progress.js';
import type { Answered } from '../queries.js';
import { batchOfRecords, median, roundMs, rounds } from './insert-rate.js';

/** A log in ClickHouse with the rows of the log in PostgreSQL. */
export interface ClickHouseResults {
  version: string;
  /** Of the rows and their indexes. */
  bytesPerRow: number;
  /** With the statistics. */
  gigabytes: number;
  fillSeconds: number;
  answered: Answered[];
  /** Rows a second in batches of 5,000, one after the other. */
  insertRate: number;
}

export interface FilledClickHouse {
  url: string;
  clickHouse: ClickHouse;
  fillSeconds: number;
}

/** The same buckets as those of the rows in PostgreSQL. */
const rowsOf = (table: string) => `
  INSERT INTO request_logs (id, method, path, route, statusCode, duration, bucket, ip, userAgent, apiKeyId)
  SELECT toUUID(id), method, path, ifNull(route, ''), statusCode, duration,
    toUInt8(least(127, ceil(log(greatest(duration, 0.5) / 0.01) / log(1.2)))), ip, userAgent, ifNull(apiKeyId, '')
  FROM ${table}`;

/**
 * Starts ClickHouse, and copies the rows of each daily partition from PostgreSQL. Statistics come from the materialized views. Then
 * merges the parts, as ClickHouse does in time.
 *
 * @throws BenchError when the library is not installed
 */
export async function fillClickHouse(
  postgresUrl: string,
  partitions: readonly string[],
  progress: Progress,
  defer: Defer,
  signal: AbortSignal,
): Promise<FilledClickHouse> {
  if (!isEngineInstalled)
    throw new BenchError(
      '--store clickhouse requires the library: npm install --no-save --prefix scripts/clickhouse/engine',
    );
  const directory = await mkdtemp(join(tmpdir(), 'musicez-bench-clickhouse-'));
  defer(() => rm(directory, { recursive: true, force: true }));
  const server = await LocalClickHouse.start(directory, 0);
  defer(() => server.kill());
  const url = `clickhouse://127.0.0.1:${server.port}/log`;
  // A day is copied in one request.
  const clickHouse = new ClickHouse(url, { requestTimeoutMs: 600_000 });
  defer(() => clickHouse.close());
  await migrate(clickHouse);
  const { hostname, port, pathname, username, password } = new URL(postgresUrl);
  const source = [`${hostname}:${port || 5432}`, pathname.slice(1), '', username, password].map((text) =>
    decodeURIComponent(text),
  );
  const startedAt = performance.now();
  progress.begin('copying the rows to ClickHouse');
  for (const partition of partitions) {
    signal.throwIfAborted();
    source[2] = partition;
    await clickHouse.execute(rowsOf(`postgresql(${source.map((text) => `'${text.replace(/['\\]/g, '\\$&')}'`)})`));
  }
  for (const table of ['request_logs', 'request_stats', 'request_stats_by_key', 'key_usage'])
    await clickHouse.execute(`OPTIMIZE TABLE ${table} FINAL`);
  const fillSeconds = (performance.now() - startedAt) / 1000;
  progress.end(`${Math.round(fillSeconds)} s`);
  return { url, clickHouse, fillSeconds };
}

/** @param answered the queries of a service with this log */
export async function measureClickHouse(
  { clickHouse, fillSeconds }: FilledClickHouse,
  answered: Answered[],
  signal: AbortSignal,
): Promise<ClickHouseResults> {
  const [size] = await clickHouse.rows<{ bytes: number; all: number; rows: number; version: string }>(
    `SELECT sumIf(bytes_on_disk, table = 'request_logs') AS bytes, sum(bytes_on_disk) AS all,
       sumIf(rows, table = 'request_logs') AS rows, version() AS version
     FROM system.parts WHERE active AND database = currentDatabase()`,
  );
  const { bytes = 0, all = 0, rows = 1, version = '' } = size ?? {};
  const rates: number[] = [];
  const log = pino({ level: 'silent' });
  for (let round = 0; round < rounds; round++) {
    let written = 0;
    let spentMs = 0;
    while (spentMs < roundMs) {
      signal.throwIfAborted();
      const batch = sealed(batchOfRecords());
      const sentAt = performance.now();
      await writeBatch(clickHouse, batch, log);
      spentMs += performance.now() - sentAt;
      written += batch.records.length;
    }
    rates.push((written / spentMs) * 1000);
  }
  return {
    version,
    bytesPerRow: bytes / rows,
    gigabytes: all / 1e9,
    fillSeconds,
    answered,
    insertRate: median(rates),
  };
}
