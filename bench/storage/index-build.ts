import { buildPartitionIndexes } from '../../plugins/database/migrations/partition-indexes.js';
import { openDatabase } from '../../plugins/database/open.js';
import { loadConfig } from '../../src/config/index.js';
import { insertBatch, poolOf, postgresWriter } from './insert-rate.js';

/** The speed of inserts while an index of the whole log is built. */
export interface IndexBuild {
  seconds: number;
  /** Rows a second that one connection inserts during the build. */
  insertRate: number;
  /** The duration of the slowest batch. */
  longestBatchMs: number;
}

/** Builds an index as a migration of `request_logs` does, while rows are inserted. */
export async function measureIndexBuild(url: string, signal: AbortSignal): Promise<IndexBuild> {
  const database = openDatabase(loadConfig({ DATABASE_URL: url }).database);
  const pool = poolOf(url);
  const write = postgresWriter(pool);
  try {
    await pool.query('CREATE INDEX request_logs_bench_idx ON ONLY request_logs (ip)');
    let isBuilding = true;
    const startedAt = performance.now();
    const build = buildPartitionIndexes(database, undefined, signal).finally(() => {
      isBuilding = false;
    });
    build.catch(() => {});
    let rows = 0;
    let longestBatchMs = 0;
    while (isBuilding) {
      const batch = await insertBatch(write);
      rows += batch.rows;
      longestBatchMs = Math.max(longestBatchMs, batch.ms);
    }
    await build;
    const seconds = (performance.now() - startedAt) / 1000;
    await pool.query('DROP INDEX request_logs_bench_idx');
    return { seconds, insertRate: rows / seconds, longestBatchMs };
  } finally {
    await pool.end();
    await database.close();
  }
}
