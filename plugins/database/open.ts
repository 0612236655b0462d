import pg from 'pg';
import { type OnFailure, waitForDatabase } from './connect.js';
import { EmbeddedDatabase } from './embedded/index.js';
import { type MigrationMethods, migrationsOf } from './migrations/index.js';
import { type OwnTables, setsOf } from './migrations/sets.js';
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

/** The pools of a database, which may not be available yet. */
export interface Database extends MigrationMethods {
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
