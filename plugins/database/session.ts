import type pg from 'pg';

/** PostgreSQL's `statement_timeout` and `lock_timeout`, in milliseconds; 0 disables them. */
export interface ServerTimeouts {
  statementMs: number;
  lockMs: number;
}

/**
 * Settings that a role or database can change, and that the service's queries depend on. PgBouncer keeps these for each of its
 * clients, in transaction mode too.
 *
 * @see https://www.pgbouncer.org/config.html#track_extra_parameters
 */
const pinned = `SET client_encoding TO 'UTF8'; SET DateStyle TO 'ISO, MDY'; SET TimeZone TO 'UTC';
SET standard_conforming_strings TO on`;

/**
 * Prepares a new connection: sets what the parsing of results depends on and, unless it is behind a pooler, the schema and the
 * timeouts on the server.
 *
 * @param schema for unqualified names, such as those of a route module's own SQL
 * @param isPooled whether the URL declares a pooler; otherwise one is detected
 */
export async function prepareSession(
  client: pg.Client,
  schema: string,
  timeouts: ServerTimeouts,
  isPooled: boolean,
): Promise<void> {
  // For several statements pg returns an array, which its types do not describe.
  const results: unknown = await client.query(`${pinned}; SELECT pg_backend_pid() AS pid`);
  if (isPooled || isBehindPooler(client, results as pg.QueryResult<{ pid: number }>[])) return;
  await client.query(
    `SET search_path TO "${schema.replaceAll('"', '""')}"; SET default_transaction_isolation TO 'read committed';
     SET statement_timeout TO ${timeouts.statementMs}; SET lock_timeout TO ${timeouts.lockMs}`,
  );
}

/** A pooler sends its clients a process id that differs from the server's. */
function isBehindPooler(client: pg.Client, results: pg.QueryResult<{ pid: number }>[]): boolean {
  const { processID } = client as pg.Client & { processID?: number };
  return results.at(-1)?.rows[0]?.pid !== processID;
}
