import { AsyncResource } from 'node:async_hooks';
import pg from 'pg';
import { inBackground } from '../background.js';
import { cancelQuery } from './cancel-query.js';
import { isReadOnlyError, markSocketError } from './unavailable.js';

/** The limits of a pool; times in milliseconds. */
export interface PoolLimits {
  connectionLimit: number;
  connectionTimeout: number;
  idleTimeout: number;
  maxLifetime: number;
}

/** How long running queries may continue after `end`. */
const endDeadlineMs = 1_000;

/** The minimum time between drops: with a read-only role each write fails, and dropping each time would reconnect constantly. */
const dropIntervalMs = 1_000;

/** The client's timeout is longer than the server's, so that the server's error arrives. */
const responseMarginMs = 500;

export interface Pool {
  pool: pg.Pool;
  /** Closes all connections, and destroys those that are still busy after a second. */
  end(): Promise<void>;
}

/** Where and how a pool connects. */
export interface PoolTarget extends Pick<pg.PoolConfig, 'connectionString' | 'host' | 'user' | 'database'> {
  /** Undefined: `pg` reads the environment. A function, because a server that does not support optional TLS changes the result. */
  ssl?: () => pg.PoolConfig['ssl'];
  applicationName?: string | undefined;
  connectTimeoutMs?: number | undefined;
  /** Called with each new connection, before its first query. */
  onConnect(client: pg.Client): Promise<void>;
  /** Called with each connection error. */
  onConnectError?(error: Error): void;
}

/** Creates the client class of a target, for its pools and its dedicated clients. */
export function clientClassOf(target: PoolTarget): typeof pg.Client {
  return class extends pg.Client {
    constructor(config?: string | pg.ClientConfig) {
      super({
        ...(config as pg.ClientConfig),
        ...(target.ssl?.() !== undefined && { ssl: target.ssl() }),
        application_name: target.applicationName ?? 'musicez',
        keepAlive: true,
        ...(target.connectTimeoutMs !== undefined && { connectionTimeoutMillis: target.connectTimeoutMs }),
      });
      // Marks the error as the database's: the error itself does not name the server.
      this.connection.prependListener('error', markSocketError);
      this.connection.prependListener('error', (error: Error) => target.onConnectError?.(error));
      this.connection.prependListener('errorMessage', (error: Error) => target.onConnectError?.(error));
    }
  };
}

type OnConnected = ((error: Error) => void) | ((error: null, client: pg.Client) => void);
type OnClient = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  release: (error?: unknown) => void,
) => void;

/** Runs a query that waits for a connection in the context of its own request, or in none, and not of the request that ends another. */
class ContextPool extends pg.Pool {
  override connect(): Promise<pg.PoolClient>;
  override connect(callback: OnClient): void;
  override connect(callback?: OnClient): Promise<pg.PoolClient> | undefined {
    if (!callback) return super.connect();
    super.connect(AsyncResource.bind(callback));
    return undefined;
  }
}

/**
 * Creates a pool, which connects with the first query.
 *
 * @param queryTimeoutMs after this time a query fails and its connection is closed: after a failover the old server may never
 *   respond
 */
export function createPool(target: PoolTarget, limits: PoolLimits, queryTimeoutMs: number): Pool {
  const { connectionString, host, user, database, onConnect } = target;
  const connecting = new Set<pg.Client>();
  class TrackedClient extends clientClassOf(target) {
    constructor(config?: string | pg.ClientConfig) {
      super(config);
      connecting.add(this);
      for (const event of ['connect', 'end'] as const) this.once(event, () => connecting.delete(this));
    }

    private cancelled: Promise<void> | undefined;

    /** In no trace: a connection serves many requests. */
    override connect(): Promise<pg.Client>;
    override connect(callback: OnConnected): void;
    override connect(callback?: OnConnected): Promise<pg.Client> | undefined {
      return inBackground(() => {
        if (!callback) return super.connect();
        super.connect(callback);
        return undefined;
      });
    }

    /** Asks the server to cancel the running query. `end` waits for this. */
    cancel() {
      // The embedded database runs one query at a time, and has nothing to cancel.
      if (connectionString !== undefined) this.cancelled = cancelQuery(this).catch(() => {});
    }

    override async end(callback: (error: Error) => void = () => {}): Promise<void> {
      await this.cancelled;
      await super.end();
      callback(undefined as unknown as Error);
    }
  }
  const pool = new ContextPool({
    ...(connectionString === undefined ? { host, user, database } : { connectionString }),
    Client: TrackedClient,
    // The types of pg-pool do not know the client's own class.
    onConnect: onConnect as unknown as NonNullable<pg.PoolConfig['onConnect']>,
    max: limits.connectionLimit,
    connectionTimeoutMillis: limits.connectionTimeout,
    idleTimeoutMillis: limits.idleTimeout,
    maxLifetimeSeconds: limits.maxLifetime / 1000,
    query_timeout: Math.min(queryTimeoutMs + responseMarginMs, 2 ** 31 - 1),
  });
  // Without listeners, an error of an idle connection would end the process. The next query reports it.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));

  const clients = new Set<pg.PoolClient>();
  const idle = new Set<pg.PoolClient>();
  const held = new Set<pg.PoolClient>();
  const outdated = new WeakSet<pg.PoolClient>();
  let droppedAt = Number.NEGATIVE_INFINITY;
  pool.on('connect', (client) => {
    clients.add(client);
    (client as pg.Client).connection.on('errorMessage', (error: object) => {
      const now = performance.now();
      if (!isReadOnlyError(error) || now - droppedAt < dropIntervalMs) return;
      droppedAt = now;
      dropConnections();
    });
  });
  pool.on('remove', (client) => {
    clients.delete(client);
    idle.delete(client);
    held.delete(client);
  });
  pool.on('acquire', (client) => {
    idle.delete(client);
    held.add(client);
  });
  pool.on('release', (error, client) => {
    held.delete(client);
    // A transaction that timed out may release its connection without an error, while its query still runs.
    const isBusy = (client as { readyForQuery?: boolean }).readyForQuery === false;
    // `error` can also be null or true, although its type says otherwise.
    const isTimeout = /read timeout/.test((error as Error | null)?.message ?? '');
    if (isBusy || isTimeout) (client as unknown as TrackedClient).cancel();
    if (isBusy) outdated.add(client);
    // After this event the pool decides whether it keeps the connection or hands it out.
    setImmediate(() => {
      if (!clients.has(client) || held.has(client)) return;
      idle.add(client);
      if (outdated.has(client)) drop(client);
    });
  });

  /** Closes idle connections now and busy ones when they are released, so that the next queries reach the new primary. */
  function dropConnections() {
    for (const client of clients) {
      if (idle.has(client)) drop(client);
      else outdated.add(client);
    }
  }

  /** Makes the pool remove an idle connection. */
  function drop(client: pg.PoolClient) {
    if (idle.delete(client)) client.emit('error', new Error('the server of this connection is no longer primary'));
  }

  return {
    pool,
    async end() {
      const closeTimer = setTimeout(() => {
        for (const client of clients as Set<pg.Client>) void client.end().catch(() => {});
        // A client that is still connecting has no connection to end.
        for (const client of connecting) client.connection.stream.destroy();
      }, endDeadlineMs);
      await pool.end().finally(() => clearTimeout(closeTimer));
    },
  };
}
