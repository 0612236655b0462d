import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { waitForDatabase } from './connect.js';
import { EmbeddedDatabase } from './embedded/index.js';
import { applyMigrations, type MigrationReport } from './migrations/index.js';
import { withMigrationLock } from './migrations/lock.js';
import { createPool, type PoolLimits, schemaOf } from './pool.js';

export interface DatabaseOptions {
  /** A PostgreSQL URL; without one the embedded database is used. */
  url?: string | undefined;
  /** Where the embedded database lives. */
  dataDir: string;
  /** The directory of schema.prisma and migrations/. */
  prismaDir: string;
  limits: PoolLimits;
  /** When a query counts as lost, in milliseconds. */
  queryTimeoutMs: number;
}

/** The database, opened but perhaps not there yet. */
export interface Database {
  readonly pool: pg.Pool;
  /** The PostgreSQL schema of the tables. */
  readonly schema: string;
  /** Whether it lives in this process. */
  readonly embedded: boolean;
  /**
   * Makes a connection outside the pool, not yet connected, for who has to keep one. Undefined if embedded, where there is
   * only one for all.
   */
  readonly createClient: (() => pg.Client) | undefined;
  /** Starts it if embedded, and waits until it answers. */
  start(onFailure: (error: Error, attempt: number) => void): Promise<void>;
  /**
   * Applies pending migrations and notes the service's version in `system_health`, once among all replicas.
   *
   * @param version of the service
   */
  migrate(version: string): Promise<MigrationReport>;
  /** Gives up waiting, closes the connections, and stops it if embedded. */
  close(): Promise<void>;
}

/** Opens the database that the options name. Nothing connects before `start`. */
export function openDatabase(options: DatabaseOptions): Database {
  return options.url === undefined ? openEmbedded(options) : openServer(options, options.url);
}

function openServer({ prismaDir, limits, queryTimeoutMs }: DatabaseOptions, url: string): Database {
  const schema = schemaOf(url);
  const searchPath = pg.escapeIdentifier(schema);
  const { pool, end } = createPool(
    {
      connectionString: url,
      // Prisma names the schema in each query; whatever the role's own path says, the other queries mean the same.
      onConnect: async (client) => void (await client.query(`SET search_path TO ${searchPath}`)),
    },
    limits,
    queryTimeoutMs,
  );
  const stopped = new AbortController();
  return {
    pool,
    schema,
    embedded: false,
    createClient: () => new pg.Client({ connectionString: url, application_name: 'musicez', keepAlive: true }),
    start: (onFailure) => waitForDatabase(pool, onFailure, stopped.signal),
    migrate: (version) =>
      withMigrationLock(pool, async () => {
        if (schema !== 'public') await pool.query(`CREATE SCHEMA IF NOT EXISTS ${searchPath}`);
        return migrate(pool, schema, prismaDir, version);
      }),
    async close() {
      stopped.abort();
      await end();
    },
  };
}

function openEmbedded({ dataDir, prismaDir, limits, queryTimeoutMs }: DatabaseOptions): Database {
  const database = new EmbeddedDatabase(dataDir);
  const { pool, end } = createPool(
    {
      host: database.host,
      user: 'postgres',
      database: 'postgres',
      // One PGlite is one session, whoever connects: prepared statements of an earlier connection are still there.
      onConnect: async (client) => void (await client.query('DISCARD ALL')),
    },
    // And the socket server mixes up the messages of connections that speak at the same time.
    { ...limits, connectionLimit: 1 },
    queryTimeoutMs,
  );
  return {
    pool,
    schema: 'public',
    embedded: true,
    createClient: undefined,
    start: () => database.start(),
    migrate: (version) => migrate(pool, 'public', prismaDir, version),
    async close() {
      await end();
      await database.stop();
    },
  };
}

async function migrate(pool: pg.Pool, schema: string, prismaDir: string, version: string) {
  const report = await applyMigrations(pool, schema, prismaDir);
  await pool.query(
    `INSERT INTO system_health (id, version, "checkedAt")
     SELECT $1, $2, now() AT TIME ZONE 'UTC'
     WHERE NOT EXISTS (SELECT FROM system_health WHERE version = $2)`,
    [randomUUID(), version],
  );
  return report;
}
