import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { BenchError } from './bench-error.js';
import type { Defer } from './defer.js';

/** A database for one measured process, and a directory that is its own. */
export interface Scratch {
  /** Undefined: the embedded database in `directory`. */
  url: string | undefined;
  directory: string;
}

/**
 * Makes an empty database beside the one that `url` names, on the same server; without `url` an embedded one comes to
 * be in the directory when first opened. Both are removed at the end.
 *
 * @param name what it is for
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
      throw new BenchError(`the database ${database} is left behind: ${(error as Error).message}`);
    }
  });
  const own = new URL(url);
  own.pathname = `/${database}`;
  own.searchParams.delete('schema');
  return { url: own.href, directory };
}

/** @returns what the figures are for, such as `PostgreSQL 15.4` */
export async function nameOfDatabase(url: string | undefined): Promise<string> {
  if (url === undefined) return 'embedded database';
  const [row] = await query<{ server_version: string }>(url, 'SHOW server_version');
  return `PostgreSQL ${row?.server_version.split(' ')[0]}`;
}

async function query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  // What breaks it is reported to the query.
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query<Row>(sql)).rows;
  } catch (error) {
    // Of a host with several addresses the error is one of several, without a message of its own.
    const { message, code } = error as NodeJS.ErrnoException;
    throw new BenchError(`the PostgreSQL at DATABASE_URL: ${message || code}`);
  } finally {
    await client.end();
  }
}
