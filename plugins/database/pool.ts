import pg from 'pg';
import { noteSocketError } from './unavailable.js';

/** How many connections, and for how long; times in milliseconds. */
export interface PoolLimits {
  connectionLimit: number;
  connectionTimeout: number;
  idleTimeout: number;
  maxLifetime: number;
}

/** For the few statements that may take their time: migrations, and the wait for their lock. */
export const unhurried = { query_timeout: 2 ** 31 - 1 };

/** How long queries may go on while the pool ends. */
const endPatienceMs = 1_000;

export interface Pool {
  pool: pg.Pool;
  /** Closes all connections; one that is still busy after a while, perhaps since a failover it never heard of, is cut. */
  end(): Promise<void>;
}

/** One whose broken socket is known as the database's, whoever the error comes to. */
class Client extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config);
    this.connection.prependListener('error', noteSocketError);
  }
}

/**
 * Makes the process's one pool; it connects when first asked.
 *
 * @param target where to connect, and what to run first on each new connection
 * @param queryTimeoutMs when a query counts as lost, with its connection: after a failover the old server may never
 *   say a word again
 */
export function createPool(
  target: Pick<pg.PoolConfig, 'connectionString' | 'host' | 'user' | 'database' | 'onConnect'>,
  limits: PoolLimits,
  queryTimeoutMs: number,
): Pool {
  const pool = new pg.Pool({
    ...target,
    Client,
    application_name: 'musicez',
    max: limits.connectionLimit,
    connectionTimeoutMillis: limits.connectionTimeout,
    idleTimeoutMillis: limits.idleTimeout,
    maxLifetimeSeconds: limits.maxLifetime / 1000,
    query_timeout: queryTimeoutMs,
    keepAlive: true,
  });
  // A connection that breaks while idle or held is reported to whoever uses it next; without listeners it would end
  // the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));

  const clients = new Set<pg.PoolClient>();
  pool.on('connect', (client) => clients.add(client));
  pool.on('remove', (client) => clients.delete(client));
  return {
    pool,
    async end() {
      const cut = setTimeout(() => {
        for (const client of clients as Set<pg.Client>) void client.end().catch(() => {});
      }, endPatienceMs);
      await pool.end().finally(() => clearTimeout(cut));
    },
  };
}

/**
 * Prisma's `?schema=`, the part of a database URL that PostgreSQL itself does not know.
 *
 * @returns the schema's name, `public` where the URL names none
 */
export function schemaOf(url: string): string {
  return new URL(url).searchParams.get('schema') || 'public';
}
