import pg from 'pg';
import { DatabaseStartError, MigrationBlockedError } from '../errors.js';
import { type Migration, readMigrations } from './files.js';
import { editedOf, type HistoryEntry, MigrationHistory, missingOf, pendingOf } from './history.js';
import { deferPartitionIndexes } from './partition-indexes.js';
import {
  assertKnownHistory,
  assertNoForeignTables,
  failedEarlier,
  insufficientPrivilege,
  permissionError,
  withPermissionHint,
} from './refusals.js';
import { type MigrationSet, ownerOf, prismaHistory } from './sets.js';

/** The migrations that this call applied, and those to warn about. */
export interface MigrationReport {
  /** Names of the migrations that this call applied. */
  applied: string[];
  /** Names of applied migrations whose file was changed afterwards. */
  edited: string[];
  /** Names of applied migrations that have no file here. */
  missing: string[];
}

/** The advisory lock of Prisma's own `migrate deploy`. */
export const migrationLock = 72_707_369;

/**
 * How long a migration waits for a lock, in milliseconds. Meanwhile requests wait behind it. With a short wait, a `pg_dump` that runs for
 * an hour delays the migration and not the requests.
 */
const lockTimeoutMs = 2_000;
const lockNotAvailable = '55P03';
/** No timeout for the script of a migration, which can take long. */
const noQueryTimeout = { query_timeout: 2 ** 31 - 1 };

/** SQLSTATEs of PostgreSQL: a table, column, function, index, constraint or schema exists already. */
const duplicates = new Set(['42P07', '42701', '42723', '42710', '42P06']);

/**
 * Applies the migrations that the database does not have yet. Each runs in one transaction with its row in the history, so an interrupted
 * one leaves nothing behind, and a pooler in transaction mode can be in between.
 *
 * @param applied receives the names, also of migrations that were applied before an error
 * @throws DatabaseStartError naming the migration that cannot be applied
 * @throws MigrationBlockedError when another session holds a lock that is needed
 */
export async function applyMigrations(
  pool: pg.Pool,
  set: MigrationSet,
  applied: string[] = [],
): Promise<MigrationReport> {
  const migrations = await readMigrations(set.prismaDir);
  const history = historyOf(set);
  for (;;) {
    const entries = (await history.read(pool)) ?? [];
    if (pendingOf(migrations, entries).length === 0)
      return { applied, edited: editedOf(migrations, entries), missing: missingOf(migrations, entries) };
    const name = await applyNext(pool, set, history, migrations);
    if (name !== undefined) applied.push(name);
  }
}

/** Names of the migrations that the database does not have yet, oldest first. Changes nothing. */
export async function pendingMigrations(pool: pg.Pool, set: MigrationSet): Promise<string[]> {
  const entries = await historyOf(set).read(pool);
  return pendingOf(await readMigrations(set.prismaDir), entries ?? []).map(({ name }) => name);
}

function historyOf({ schema, history }: MigrationSet) {
  return new MigrationHistory(schema, history);
}

/** @returns the name of the migration that was applied; undefined when none is pending any more */
async function applyNext(
  pool: pg.Pool,
  set: MigrationSet,
  history: MigrationHistory,
  migrations: Migration[],
): Promise<string | undefined> {
  const client = await pool.connect();
  let isBroken = true;
  try {
    await client.query('BEGIN');
    await client.query(
      `SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0;
       SET LOCAL lock_timeout = ${lockTimeoutMs}; SET LOCAL client_min_messages = warning`,
    );
    const { rows } = await client.query('SELECT pg_try_advisory_xact_lock($1) AS "isHeld"', [migrationLock]);
    if (!rows[0]?.isHeld) throw new MigrationBlockedError('another process is applying migrations');
    const name = await applyWith(client, set, history, migrations);
    await client.query('COMMIT');
    isBroken = false;
    return name;
  } catch (error) {
    if ((error as pg.DatabaseError).code === lockNotAvailable)
      throw new MigrationBlockedError(
        'a table that a migration changes is locked; end the transaction that holds the lock',
        { cause: error },
      );
    throw error;
  } finally {
    // After an error the connection is closed, which also ends its transaction.
    client.release(isBroken);
  }
}

async function applyWith(client: pg.ClientBase, set: MigrationSet, history: MigrationHistory, migrations: Migration[]) {
  await prepareSchema(client, set.schema);
  const entries = await history.read(client);
  if (entries === undefined) {
    if (set.history === prismaHistory) await assertNoForeignTables(client, set);
    await withPermissionHint(history.table, () => history.create(client));
  } else if (!set.isOwn) assertKnownHistory(set, migrations, entries);
  const [next] = pendingOf(migrations, entries ?? []);
  if (!next) return undefined;
  const earlier = (entries ?? []).filter(({ name }) => name === next.name);
  if (earlier.some(({ state }) => state === 'failed')) throw failedEarlier(set, next.name);
  await run(client, set, next, earlier);
  if (earlier.length > 0) await history.markRolledBack(client, next.name);
  await history.add(client, next);
  return next.name;
}

async function prepareSchema(client: pg.ClientBase, schema: string) {
  const name = pg.escapeIdentifier(schema);
  const { rows } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [schema]);
  if (rows.length === 0) await withPermissionHint(`schema ${name}`, () => client.query(`CREATE SCHEMA ${name}`));
  await client.query(`SET LOCAL search_path TO ${name}`);
}

/**
 * Runs a script. Older versions wrote the history in another transaction, so after an interruption a script can be applied and its row
 * unfinished: then an error "already exists" means that it is applied.
 */
async function run(client: pg.ClientBase, set: MigrationSet, { name, script }: Migration, earlier: HistoryEntry[]) {
  await client.query('SAVEPOINT migration');
  try {
    const statements = withoutTransaction(script);
    const text = set.isOwn ? statements : await deferPartitionIndexes(client, statements);
    await client.query({ text, ...noQueryTimeout });
  } catch (error) {
    const { code = '', message } = error as pg.DatabaseError;
    if (code === lockNotAvailable) throw error;
    if (earlier.length > 0 && duplicates.has(code)) return void (await client.query('ROLLBACK TO SAVEPOINT migration'));
    if (code === insufficientPrivilege) throw permissionError(message);
    // Not the migration's fault: connection lost, server stopping or out of resources, read-only, or query cancelled.
    if (!/^[0-9A-Z]{5}$/.test(code) || /^(08|57P|53|25006|57014)/.test(code)) throw error;
    throw new DatabaseStartError(`migration ${name} of ${ownerOf(set)} failed: ${message}`, { cause: error });
  }
}

/** Prisma's engine writes these lines around a change of an enum; here the transaction is around the whole script. */
function withoutTransaction(script: string) {
  return script.replace(/^(BEGIN|COMMIT);$/gm, '');
}
