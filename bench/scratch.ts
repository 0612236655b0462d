import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Defer } from '../scripts/cleanup.js';
import { BenchError } from './bench-error.js';

/** A database and a directory for one measured process. */
export interface Scratch {
  /** Undefined: the embedded database in `directory`. */
  url: string | undefined;
  directory: string;
}

/**
 * Creates a temporary directory, and an empty database on the server at `url`. Without `url`, the server that uses the directory
 * creates its embedded database there. Both are removed at the end.
 *
 * @param name a part of the names of the directory and the database
 */
export async function createScratch(url: string | undefined, name: string, defer: Defer): Promise<Scratch> {
  const directory = await mkdtemp(join(tmpdir(), `musicez-bench-${name}-`));
  defer(() => rm(directory, { recursive: true, force: true }));
  if (url === undefined) return { url, directory };

  const database = `musicez_bench_${randomBytes(4).toString('hex')}_${name}`;
  await query(url, `CREATE DATABASE ${database}`);
  defer(async () => {
    try {
      await query(url, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
    } catch (error) {
      throw new BenchError(`the database ${database} could not be dropped: ${(error as Error).message}`);
    }
  });
  const scratchUrl = new URL(url);
  scratchUrl.pathname = `/${database}`;
  scratchUrl.searchParams.delete('schema');
  return { url: scratchUrl.href, directory };
}

/** @returns the name of the database for the report, such as `PostgreSQL 15.4` */
export async function nameOfDatabase(url: string | undefined): Promise<string> {
  if (url === undefined) return 'embedded database';
  const [row] = await query<{ server_version: string }>(url, 'SHOW server_version');
  return `PostgreSQL ${row?.server_version.split(' ')[0]}`;
}

async function query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  // An error of the connection also rejects the query.
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query<Row>(sql)).rows;
  } catch (error) {
    // The AggregateError for a host with several addresses has no message.
    const { message, code } = error as NodeJS.ErrnoException;
    throw new BenchError(`the PostgreSQL at DATABASE_URL: ${message || code}`);
  } finally {
    await client.end();
  }
}
