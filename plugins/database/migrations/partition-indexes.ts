import pg from 'pg';
import { prepareSession } from '../session.js';

const table = 'request_logs';
const defaultPartition = `${table}_default`;

/** Matches `CREATE INDEX` on the table. Not: CONCURRENTLY, unnamed indexes, schema-qualified names. */
const createIndexPattern =
  /^(CREATE (?:UNIQUE )?INDEX (?:IF NOT EXISTS )?"?\w+"? ON )("?request_logs"?)(?=\s*[(]| USING\b)/gim;

/** The advisory lock of the one replica that builds. */
const buildLock = 72_707_370;
const attachLockTimeoutMs = 2_000;
const noQueryTimeout = { query_timeout: 2 ** 31 - 1 };
/** SQLSTATEs: table or index does not exist, index exists, lock not available, deadlock. Another process changes the partition. */
const conflicts = new Set(['42P01', '42704', '42P07', '55P03', '40P01']);
const maxNameBytes = 63;

/** An index that one partition lacks. */
interface MissingIndex {
  /** The partitioned index of `request_logs`. */
  parent: string;
  parentOid: number;
  partition: string;
  /** `CREATE INDEX … ON ONLY … USING …` of the parent. */
  definition: string;
}

/** The database, and how to connect to it. */
export interface IndexedDatabase {
  pool: pg.Pool;
  /** Creates a client outside the pool; undefined for the embedded database. */
  createClient: (() => pg.Client) | undefined;
  schema: string;
  quotedSchema: string;
}

/**
 * When the log has rows, changes `CREATE INDEX` in a migration to `ON ONLY`, because an index on all partitions blocks every insert
 * until it is built. `buildPartitionIndexes` then builds the index of each partition.
 *
 * @param client in the transaction of the migration, with the schema as its search path
 */
export async function deferPartitionIndexes(client: pg.ClientBase, script: string): Promise<string> {
  const deferred = script.replace(createIndexPattern, '$1ONLY $2');
  if (deferred === script) return script;
  const { rows: tables } = await client.query(
    `SELECT FROM pg_class WHERE oid = to_regclass('${table}') AND relkind = 'p'`,
  );
  if (tables.length === 0) return script;
  const { rows } = await client.query(`SELECT FROM ${table} LIMIT 1`);
  return rows.length > 0 ? deferred : script;
}

/**
 * Builds the indexes that partitions of the request log lack, newest partition first, while replicas write. It can be killed at
 * any time: the next call drops what is half built, and continues. Of several replicas that call it, one builds.
 *
 * @param onBuilt called after each index
 * @param signal ends the call; the server finishes the index that it is building
 * @returns true when every partition has all indexes; false when another replica builds, or a partition was locked or dropped
 * @throws pg.DatabaseError the first error that is not a conflict, after all other indexes were tried
 */
export async function buildPartitionIndexes(
  database: IndexedDatabase,
  onBuilt: (index: { index: string; partition: string }) => void = () => {},
  signal?: AbortSignal,
): Promise<boolean> {
  if ((await findMissing(database)).length === 0) return true;
  return withBuildLock(database, signal, async (run) => {
    const tried = new Set<string>();
    const errors: unknown[] = [];
    let isComplete = true;
    for (;;) {
      const missing = (await findMissing(database)).find(
        ({ parent, partition }) => !tried.has(`${parent} ${partition}`),
      );
      if (!missing || signal?.aborted) break;
      tried.add(`${missing.parent} ${missing.partition}`);
      try {
        const index = await run((client) => build(client, database, missing));
        onBuilt({ index, partition: missing.partition });
      } catch (error) {
        isComplete = false;
        if (!conflicts.has((error as pg.DatabaseError).code ?? '')) errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
    return isComplete && !signal?.aborted;
  });
}

/**
 * Holds the lock in a transaction on a connection of its own: behind a pooler, only a transaction keeps its server session. An idle
 * transaction has no snapshot, so `CREATE INDEX CONCURRENTLY` does not wait for it.
 *
 * @param work receives a function that runs something on the connection that builds
 * @returns false when another replica holds the lock
 */
async function withBuildLock(
  { createClient, pool, schema }: IndexedDatabase,
  signal: AbortSignal | undefined,
  work: (run: <T>(step: (client: pg.ClientBase) => Promise<T>) => Promise<T>) => Promise<boolean>,
): Promise<boolean> {
  if (!createClient) {
    // Requests wait for the embedded database's only connection, so it is released after each step.
    return work(async (step) => {
      const client = await pool.connect();
      return step(client).finally(() => client.release());
    });
  }
  const [locking, building] = [createClient(), createClient()];
  const end = () => {
    for (const client of [locking, building]) void client.end().catch(() => {});
  };
  signal?.addEventListener('abort', end);
  try {
    for (const client of [locking, building]) {
      client.on('error', () => {});
      await client.connect();
      // The role may have timeouts that a build exceeds.
      await prepareSession(client, schema, { statementMs: 0, lockMs: 0 }, false);
    }
    await locking.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0');
    // Without parameters: those would leave a portal open, and its snapshot.
    const { rows } = await locking.query(`SELECT pg_try_advisory_xact_lock(${buildLock}) AS "isHeld"`);
    return rows[0]?.isHeld ? await work((step) => step(building)) : false;
  } finally {
    signal?.removeEventListener('abort', end);
    end();
  }
}

async function findMissing({ pool, quotedSchema }: IndexedDatabase): Promise<MissingIndex[]> {
  const { rows } = await pool.query<MissingIndex>(
    `SELECT parent.relname AS parent, parent.oid::int8::float8 AS "parentOid", partition.relname AS partition,
       pg_get_indexdef(parent.oid) AS definition
     FROM pg_index JOIN pg_class AS parent ON parent.oid = indexrelid
     JOIN pg_inherits ON inhparent = indrelid JOIN pg_class AS partition ON partition.oid = inhrelid
     WHERE indrelid = to_regclass($1) AND NOT indisvalid AND NOT EXISTS (
       SELECT FROM pg_inherits AS attached JOIN pg_index AS child ON child.indexrelid = attached.inhrelid
       WHERE attached.inhparent = parent.oid AND child.indrelid = partition.oid)
     ORDER BY partition.relname = $2, partition.relname DESC`,
    [`${quotedSchema}.${table}`, defaultPartition],
  );
  return rows;
}

/** @returns the name of the index */
async function build(client: pg.ClientBase, database: IndexedDatabase, missing: MissingIndex): Promise<string> {
  const { parent, partition, definition } = missing;
  const qualified = (name: string) => `${database.quotedSchema}.${pg.escapeIdentifier(name)}`;
  const run = (text: string) => client.query({ text, ...noQueryTimeout });
  // Not concurrently for the default partition: it has few rows, and a long build would block the creation of partitions.
  const concurrently = database.createClient && partition !== defaultPartition ? 'CONCURRENTLY' : '';
  const { name, isValid } = await findIndexName(client, qualified, missing);
  if (isValid === false) await run(`DROP INDEX ${concurrently} ${qualified(name)}`);
  if (isValid !== true) {
    const [create = '', method = ''] = definition.split(/ ON ONLY .*? USING /);
    const unique = create.includes(' UNIQUE ') ? 'UNIQUE' : '';
    await run(
      `CREATE ${unique} INDEX ${concurrently} ${pg.escapeIdentifier(name)} ON ${qualified(partition)} USING ${method}`,
    );
  }
  await run(
    `BEGIN; SET LOCAL lock_timeout = ${attachLockTimeoutMs};
     ALTER INDEX ${qualified(parent)} ATTACH PARTITION ${qualified(name)}; COMMIT`,
  ).catch(async (error: unknown) => {
    await client.query('ROLLBACK');
    throw error;
  });
  return name;
}

/**
 * Finds the name for the index, and what an interrupted build left under it. Skips a name that another index has, such as an earlier
 * index whose parent was renamed.
 *
 * @returns `isValid` undefined when there is no such index
 */
async function findIndexName(
  client: pg.ClientBase,
  qualified: (name: string) => string,
  { parent, parentOid, partition }: MissingIndex,
): Promise<{ name: string; isValid?: boolean }> {
  const names = [
    `${partition}_${parent.replace(`${table}_`, '')}`.slice(0, maxNameBytes),
    // Unique, but less readable.
    `${partition}_${parentOid}_idx`,
  ];
  for (const name of names) {
    const { rows } = await client.query<{ isValid: boolean; isOwn: boolean }>(
      `SELECT indisvalid AS "isValid",
         indrelid = to_regclass($2) AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = indexrelid) AS "isOwn"
       FROM pg_index WHERE indexrelid = to_regclass($1)`,
      [qualified(name), qualified(partition)],
    );
    const [found] = rows;
    if (!found) return { name };
    if (found.isOwn) return { name, isValid: found.isValid };
  }
  throw new Error(`both names for an index of ${partition} are in use: ${names.join(', ')}`);
}
