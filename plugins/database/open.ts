import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { type OnFailure, retryWhileUnavailable, waitForDatabase } from './connect.js';
import { EmbeddedDatabase } from './embedded/index.js';
import { DatabaseStartError } from './errors.js';
import {
  applyMigrations,
  type MigrationReport,
  type MigrationSet,
  migrationLock,
  ownerOf,
  pendingMigrations,
  prismaHistory,
  serviceHistory,
} from './migrations/index.js';
import { clientClassOf, createPool, type Pool, type PoolLimits, type PoolTarget } from './pool.js';
import { prepareSession } from './session.js';
import { targetOf } from './url.js';

export interface DatabaseOptions {
  /** A PostgreSQL URL; undefined: the embedded database. */
  url?: string | undefined;
  /** The directory of the embedded database. */
  dataDir: string;
  /** The directory of schema.prisma and migrations/. */
  prismaDir: string;
  tables?: OwnTables | undefined;
  limits: PoolLimits;
  /** The connections of all pools together; undefined: `connection_limit` of the URL, or `limits.connectionLimit`. */
  poolSize?: number | undefined;
  /** The query timeout of the main pool, in milliseconds. */
  queryTimeoutMs: number;
}

/** Tables of a service that is built on musicez, with a Prisma schema and migrations of their own. */
export interface OwnTables {
  /** The directory of schema.prisma and migrations/. */
  prismaDir: string;
  /** The PostgreSQL schema, created if missing. Without it, the tables are in the schema of musicez. */
  schema?: string;
}

/** The pools of a database, which may not be available yet. */
export interface Database {
  /** For Prisma and routes. */
  readonly pool: pg.Pool;
  /** For authentication: lookups of keys, heartbeats of the change listener, the health check. */
  readonly keyPool: pg.Pool;
  /** For the request log: its batches and its maintenance. */
  readonly logPool: pg.Pool;
  /** The PostgreSQL schema of the tables. */
  readonly schema: string;
  /** `schema`, quoted. Statements name tables as `${quotedSchema}.api_keys`, because a pooler may not keep the search path. */
  readonly quotedSchema: string;
  /** Whether the database runs in this process. */
  readonly isEmbedded: boolean;
  /**
   * Creates a dedicated client outside the pools. The caller connects it. Undefined if embedded, where all share one
   * connection.
   */
  readonly createClient: (() => pg.Client) | undefined;
  /** One line for each parameter of the URL that is ignored or insecure. */
  readonly warnings: readonly string[];
  /** Starts the embedded database, or waits until the server answers. */
  start(onFailure: OnFailure): Promise<void>;
  /**
   * Applies pending migrations, those of `tables` last, and records the version in `system_health`. Of several replicas, one does it.
   *
   * @param version the service's version
   * @param onFailure called before each retry, when the database is not available or another process holds a lock
   */
  migrate(version: string, onFailure?: OnFailure): Promise<MigrationReport>;
  /**
   * Checks that no migration is pending. Changes nothing.
   *
   * @param command the command that migrates, for the message
   * @param onFailure called before each retry, when the database is not available
   * @throws DatabaseStartError when migrations are pending
   */
  assertMigrated(command: string, onFailure?: OnFailure): Promise<void>;
  /** Names of the migrations of musicez that are pending, oldest first. Changes nothing. */
  pendingMigrations(): Promise<string[]>;
  /** Stops waiting, closes the connections, and stops the embedded database. */
  close(): Promise<void>;
}

/** The query timeout of lookups and heartbeats, in milliseconds. */
const keyTimeoutMs = 2_000;
/** The query timeout of the request log, in milliseconds. */
const logTimeoutMs = 10_000;

/** Creates the pools. Nothing connects before `start`. */
export function openDatabase(options: DatabaseOptions): Database {
  return options.url === undefined ? openEmbedded(options) : openServer(options, options.url);
}

function openServer(options: DatabaseOptions, url: string): Database {
  const { limits, poolSize, queryTimeoutMs } = options;
  const target = targetOf(url);
  const { schema, connectionString, isPooled } = target;
  let isTlsDisabled = false;
  const poolTarget = (statementMs: number): PoolTarget => ({
    connectionString,
    ...(target.ssl !== undefined && { ssl: () => (isTlsDisabled ? false : target.ssl) }),
    applicationName: target.applicationName,
    connectTimeoutMs: target.connectTimeoutMs,
    onConnect: (client) => prepareSession(client, schema, { statementMs, lockMs: statementMs }, isPooled),
    onConnectError(error) {
      // After a failover the new primary may require TLS, so any other error enables it again.
      if (target.isTlsOptional) isTlsDisabled = isTlsUnsupported(error);
    },
  });
  const total = poolSize ?? target.poolSize ?? limits.connectionLimit;
  // Two for the log: batches, and maintenance, which can take minutes.
  const reserved = { keys: total < 6 ? 1 : 2, log: 2 };
  const create = (connectionLimit: number, timeoutMs: number, connectionTimeout: number) =>
    createPool(poolTarget(timeoutMs), { ...limits, connectionLimit, connectionTimeout }, timeoutMs);
  const main = create(
    Math.max(1, total - reserved.keys - reserved.log),
    queryTimeoutMs,
    target.poolTimeoutMs ?? limits.connectionTimeout,
  );
  const keys = create(reserved.keys, keyTimeoutMs, keyTimeoutMs);
  const log = create(reserved.log, logTimeoutMs, logTimeoutMs);
  const listenerTarget = poolTarget(0);
  const ListenerClient = clientClassOf(listenerTarget);
  const stopped = new AbortController();
  return {
    pool: main.pool,
    keyPool: keys.pool,
    logPool: log.pool,
    schema,
    quotedSchema: pg.escapeIdentifier(schema),
    isEmbedded: false,
    createClient: () => new ListenerClient({ connectionString }),
    warnings: target.warnings,
    start: (onFailure) =>
      waitForDatabase(main.pool, onFailure, stopped.signal, (error) => target.isTlsOptional && isTlsUnsupported(error)),
    ...migrationsOf(main.pool, setsOf(options, schema), stopped.signal),
    async close() {
      stopped.abort();
      await endAll([main, keys, log]);
    },
  };
}

function isTlsUnsupported({ message }: Error): boolean {
  return message.includes('does not support SSL connections');
}

function openEmbedded(options: DatabaseOptions): Database {
  const { dataDir, limits, queryTimeoutMs } = options;
  const database = new EmbeddedDatabase(dataDir);
  const single = createPool(
    {
      host: database.host,
      user: 'postgres',
      database: 'postgres',
      // All connections to a PGlite share one session, so prepared statements of an earlier one still exist.
      onConnect: async (client) => void (await client.query('DISCARD ALL')),
    },
    // The socket server mixes up the messages of concurrent connections.
    { ...limits, connectionLimit: 1 },
    queryTimeoutMs,
  );
  const { pool } = single;
  const stopped = new AbortController();
  return {
    pool,
    keyPool: pool,
    logPool: pool,
    schema: 'public',
    quotedSchema: 'public',
    isEmbedded: true,
    createClient: undefined,
    warnings: [],
    start: () => database.start(),
    ...migrationsOf(pool, setsOf(options, 'public'), stopped.signal),
    async close() {
      stopped.abort();
      await endAll([single]);
      await database.stop();
    },
  };
}

async function endAll(pools: Pool[]) {
  await Promise.all(pools.map(({ end }) => end()));
}

type MigrationSets = readonly [musicez: MigrationSet, ...own: MigrationSet[]];

function setsOf({ prismaDir, tables }: DatabaseOptions, schema: string): MigrationSets {
  const musicez = { prismaDir, schema, isOwn: false, history: prismaHistory };
  if (!tables) return [musicez];
  if (tables.schema === schema)
    throw new DatabaseStartError(
      `"tables": musicez uses the schema "${schema}"; name another one, or omit "schema" to share it`,
    );
  const own = { prismaDir: tables.prismaDir, isOwn: true };
  return [
    musicez,
    tables.schema === undefined
      ? { ...own, schema, history: serviceHistory }
      : { ...own, schema: tables.schema, history: prismaHistory },
  ];
}

function migrationsOf(
  pool: pg.Pool,
  sets: MigrationSets,
  signal: AbortSignal,
): Pick<Database, 'migrate' | 'assertMigrated' | 'pendingMigrations'> {
  const [musicez] = sets;
  const { schema } = musicez;
  return {
    pendingMigrations: () => pendingMigrations(pool, musicez),
    migrate(version, onFailure = () => {}) {
      const applied: string[] = [];
      return retryWhileUnavailable(
        async () => {
          const reports: MigrationReport[] = [];
          for (const set of sets) reports.push(await applyMigrations(pool, set, applied));
          await recordVersion(pool, `${pg.escapeIdentifier(schema)}.system_health`, version);
          return {
            applied,
            edited: reports.flatMap(({ edited }) => edited),
            missing: reports.flatMap(({ missing }) => missing),
          };
        },
        onFailure,
        signal,
      );
    },
    async assertMigrated(command, onFailure = () => {}) {
      for (const set of sets) {
        const pending = () => pendingMigrations(pool, set);
        const [first, ...more] = await retryWhileUnavailable(pending, onFailure, signal);
        if (first === undefined) continue;
        const others = more.length > 0 ? ` and ${more.length} more` : '';
        throw new DatabaseStartError(
          set.isOwn
            ? `the database lacks the migration ${first}${others} of ${ownerOf(set)}: call migrate() of the service; in one that "init" wrote: npm run migrate`
            : `the database lacks the migration ${first}${others}: start the service on it, or run ${command}`,
        );
      }
    },
  };
}

/** Reads before it writes, so that a service can start on a read-only database. */
async function recordVersion(pool: pg.Pool, table: string, version: string) {
  const { rows } = await pool.query(`SELECT FROM ${table} WHERE version = $1`, [version]);
  if (rows.length > 0) return;
  const client = await pool.connect();
  try {
    // Under the lock of migrations, so that only one replica inserts the row.
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [migrationLock]);
    await client.query(
      `INSERT INTO ${table} (id, version, "checkedAt")
       SELECT $1, $2, now() AT TIME ZONE 'UTC' WHERE NOT EXISTS (SELECT FROM ${table} WHERE version = $2)`,
      [randomUUID(), version],
    );
    await client.query('COMMIT');
    client.release();
  } catch (error) {
    client.release(true);
    throw error;
  }
}
