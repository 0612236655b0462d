import { Cluster, Redis } from 'ioredis';
import { withDeadline } from '../database/deadline.js';
import { type Counter, type RateLimitTarget, stateOf, windowMs } from './counter.js';

const connectDeadlineMs = 1_000;
/** How long a request waits for Redis before it is counted elsewhere. */
const countDeadlineMs = 80;
/** How long no count is tried after a failed one. */
const retryAfterFailureMs = 1_000;
const maxReconnectDelayMs = 2_000;

const prefixes = { key: 'musicez:limit:key:', 'invalid-key': 'musicez:limit:guesser:' };

/** The first request starts a window, which ends by the clock of Redis. */
const script = `
  local count = redis.call('INCR', KEYS[1])
  local left = redis.call('PTTL', KEYS[1])
  if left < 0 then
    left = tonumber(ARGV[1])
    redis.call('PEXPIRE', KEYS[1], left)
  end
  return {count, left}`;

type Client = (Redis | Cluster) & {
  countInWindow(
    key: string,
    windowMs: number,
    done: (error?: Error | null, result?: [count: number, leftMs: number]) => void,
  ): void;
};

const notConnected = new Error('not connected');

/** Counts in Redis or in a Redis Cluster, for all replicas that use it. */
export class RedisCounter {
  private readonly onChange: (failure: Error | undefined) => void;
  private client: Client;
  private isDown = false;
  private retryAt = 0;

  /** @param onChange called with the error when Redis fails, and with undefined when it works again */
  constructor(url: string, onChange: (failure: Error | undefined) => void) {
    this.onChange = onChange;
    const options = { ...connectionOptions, lazyConnect: true, enableOfflineQueue: false, retryStrategy: retryDelayMs };
    this.client = this.prepare(new Redis(url, options));
  }

  /** Connects, for a second at most; later in the background. */
  async connect(): Promise<void> {
    await withDeadline(this.client.connect(), connectDeadlineMs).catch((error) => this.report(error));
  }

  close(): void {
    this.client.removeAllListeners('close');
    this.client.disconnect();
  }

  /** Counts one request. Calls back with an error at once while Redis is not connected, and after 80 ms without a response. */
  readonly count: Counter = ({ kind, id, limit }: RateLimitTarget, counted) => {
    const { client } = this;
    if (client.status !== 'ready' || performance.now() < this.retryAt) return counted(notConnected);
    let isSettled = false;
    const settle = (error?: Error | null, result?: [count: number, leftMs: number]) => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      if (!result) {
        this.fail(client, error as Error);
        return counted(error as Error);
      }
      this.report(undefined);
      counted(null, stateOf(kind, limit, ...result));
    };
    const timer = setTimeout(settle, countDeadlineMs, new Error(`no response within ${countDeadlineMs} ms`));
    client.countInWindow(prefixes[kind] + id, windowMs, settle);
  };

  private fail(client: Client, error: Error) {
    // An earlier connection.
    if (client !== this.client) return;
    if (client instanceof Redis && error.message.startsWith('MOVED ')) return this.useCluster(client);
    this.report(error);
    this.retryAt = performance.now() + retryAfterFailureMs;
    // A silent or demoted server keeps its connections open. A new connection resolves the name again.
    if (client.status === 'ready') client.disconnect(true);
  }

  /** The server is part of a cluster, which assigns each key to one of its servers. */
  private useCluster(first: Redis) {
    const { host, port, username, password, tls } = first.options;
    first.removeAllListeners('close');
    first.disconnect();
    const credentials = { ...(username && { username }), ...(password && { password }), ...(tls && { tls }) };
    this.client = this.prepare(
      new Cluster([{ host: host ?? '127.0.0.1', port: port ?? 6379 }], {
        redisOptions: { ...connectionOptions, ...credentials },
        enableOfflineQueue: false,
        clusterRetryStrategy: retryDelayMs,
        maxRedirections: 3,
        retryDelayOnFailover: 0,
        retryDelayOnClusterDown: 0,
        slotsRefreshTimeout: connectDeadlineMs,
      }),
    );
  }

  private prepare(client: Redis | Cluster): Client {
    client.defineCommand('countInWindow', { numberOfKeys: 1, lua: script });
    client.on('error', (error) => this.report(error));
    client.on('close', () => this.report(new Error('the connection has ended')));
    return client as Client;
  }

  private report(failure: Error | undefined) {
    const isDown = failure !== undefined;
    if (isDown !== this.isDown) this.onChange(failure);
    this.isDown = isDown;
  }
}

const connectionOptions = {
  connectTimeout: connectDeadlineMs,
  // For the commands of a new connection: a server that accepts it may never respond.
  commandTimeout: connectDeadlineMs,
  // Requests do not wait for a reconnect.
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
} as const;

function retryDelayMs(attempt: number): number {
  return Math.min(maxReconnectDelayMs, 100 * attempt) * (0.5 + Math.random() / 2);
}
