import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { writeBatch } from '../../plugins/request-log/stores/clickhouse/batches.js';
import { ClickHouse } from '../../plugins/request-log/stores/clickhouse/client.js';
import { migrate } from '../../plugins/request-log/stores/clickhouse/schema.js';
import type { Defer } from '../../scripts/cleanup.js';
import { isEngineInstalled, LocalClickHouse } from '../../scripts/clickhouse/server.js';
import { BenchError } from '../bench-error.js';
import type { Progress } from '../progress.js';
import type { Answered } from '../queries.js';
import { insertRate, median, rounds } from './insert-rate.js';

/** The size of a log in ClickHouse. */
interface Size {
  version: string;
  rows: number;
  /** Of the rows and their indexes. */
  bytesPerRow: number;
  /** With the statistics. */
  gigabytes: number;
}

/** A log in ClickHouse with the rows of the log in PostgreSQL. */
export interface ClickHouseResults extends Size {
  fillSeconds: number;
  answered: Answered[];
  /** With copies of the rows; undefined without. */
  large: (Size & { answered: Answered[] }) | undefined;
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
  await mergeParts(clickHouse);
  const fillSeconds = (performance.now() - startedAt) / 1000;
  progress.end(`${Math.round(fillSeconds)} s`);
  return { url, clickHouse, fillSeconds };
}

async function mergeParts(clickHouse: ClickHouse) {
  for (const table of ['request_logs', 'request_stats', 'request_stats_by_key', 'key_usage'])
    await clickHouse.execute(`OPTIMIZE TABLE ${table} FINAL`);
}

/** Adds copies of each row, with other ids of the same time. */
async function addCopies(clickHouse: ClickHouse, copies: number, progress: Progress, signal: AbortSignal) {
  const partitions = await clickHouse.rows<{ day: number }>(
    'SELECT DISTINCT toYYYYMMDD(createdAt) AS day FROM request_logs ORDER BY day',
  );
  for (const [i, { day }] of partitions.entries()) {
    signal.throwIfAborted();
    progress.begin(`adding ${copies} copies of each row to ClickHouse, day ${i + 1} of ${partitions.length}`);
    await clickHouse.execute(`
      INSERT INTO request_logs (id, method, path, route, statusCode, duration, bucket, ip, userAgent, apiKeyId)
      SELECT
        toUUID(concat(substring(toString(id), 1, 24), lower(right(leftPad(hex(sipHash64(id, copy)), 16, '0'), 12)))),
        method, path, route, statusCode, duration, bucket, ip, userAgent, apiKeyId
      FROM request_logs ARRAY JOIN range(${copies}) AS copy
      WHERE toYYYYMMDD(createdAt) = ${day}`);
    progress.end('done');
  }
  await mergeParts(clickHouse);
}

/** Rows a second. Removes the rows afterwards, which are all of this hour. */
async function insertRateOf(clickHouse: ClickHouse, signal: AbortSignal): Promise<number> {
  const [last] = await clickHouse.rows<{ id: string }>(
    'SELECT id FROM request_logs ORDER BY UUIDToNum(id) DESC LIMIT 1',
  );
  const rates: number[] = [];
  const log = pino({ level: 'silent' });
  for (let round = 0; round < rounds; round++) {
    rates.push(await insertRate((batch) => writeBatch(clickHouse, batch, log), signal));
  }
  await clickHouse.execute(`DELETE FROM request_logs WHERE UUIDToNum(id) > UUIDToNum(toUUID('${last?.id}'))`);
  return median(rates);
}

async function sizeOf(clickHouse: ClickHouse): Promise<Size> {
  const [size] = await clickHouse.rows<{ bytes: number; all: number; rows: number; version: string }>(
    `SELECT sumIf(bytes_on_disk, table = 'request_logs') AS bytes, sum(bytes_on_disk) AS all,
       sumIf(rows, table = 'request_logs') AS rows, version() AS version
     FROM system.parts WHERE active AND database = currentDatabase()`,
  );
  const { bytes = 0, all = 0, rows = 1, version = '' } = size ?? {};
  return { version, rows, bytesPerRow: bytes / rows, gigabytes: all / 1e9 };
}

/**
 * @param measure measures the queries of a service with this log
 * @param copies how many copies of each row to add, after which the queries are measured again; 0: none
 */
export async function measureClickHouse(
  { clickHouse, fillSeconds }: FilledClickHouse,
  measure: () => Promise<Answered[]>,
  copies: number,
  progress: Progress,
  signal: AbortSignal,
): Promise<ClickHouseResults> {
  progress.begin('queries of ClickHouse');
  const size = await sizeOf(clickHouse);
  const answered = await measure();
  progress.end('done');
  progress.begin('insert rate of ClickHouse');
  const insertRate = await insertRateOf(clickHouse, signal);
  progress.end(`${Math.round(insertRate).toLocaleString('en-US')} rows/s`);
  const large = copies > 0 ? await measureLarge() : undefined;
  return { ...size, fillSeconds, answered, insertRate, large };

  async function measureLarge() {
    await addCopies(clickHouse, copies, progress, signal);
    progress.begin('queries of ClickHouse with the copies');
    const results = { ...(await sizeOf(clickHouse)), answered: await measure() };
    progress.end('done');
    return results;
  }
}
