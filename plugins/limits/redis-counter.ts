import { Cluster, Redis } from 'ioredis';
import { inBackground } from '../background.js';
import { withDeadline } from '../database/deadline.js';
import type { CountedLimit, Counter } from './counter.js';
import { exceeds, minuteName } from './limit.js';
import { stateOf } from './limit-state.js';

const connectDeadlineMs = 1_000;
/** How long a request waits for Redis before it is counted in memory. */
const countDeadlineMs = 80;
/** How long requests are counted in memory after a failure. */
const retryAfterFailureMs = 1_000;
const maxReconnectDelayMs = 2_000;

/** `guesser` is the name that older versions use. */
const prefixes = { key: 'musicez:limit:key:', owner: 'musicez:limit:owner:', 'invalid-key': 'musicez:limit:guesser:' };

/**
 * The first request starts a window, which ends by the clock of Redis.
 *
 * ARGV: the cost, then limit and milliseconds of the window for each key. Returns 1 if the request is allowed, then the count and the
 * remaining milliseconds for each key.
 */
const script = `
  local cost = tonumber(ARGV[1])
  local result = {1}
  for i, key in ipairs(KEYS) do
    local count = tonumber(redis.call('GET', key) or 0)
    if count + math.max(1, cost) > tonumber(ARGV[2 * i]) then result[1] = 0 end
    result[2 * i] = count
    result[2 * i + 1] = redis.call('PTTL', key)
  end
  for i, key in ipairs(KEYS) do
    local isNew = result[2 * i + 1] < 0
    if isNew then result[2 * i + 1] = tonumber(ARGV[2 * i + 1]) end
    if result[1] == 1 and cost > 0 then
      result[2 * i] = redis.call('INCRBY', key, cost)
      if isNew then redis.call('PEXPIRE', key, ARGV[2 * i + 1]) end
    end
  end
  return result`;

type Reply = [isAllowed: 0 | 1, ...countsAndTimes: number[]];

type Client = (Redis | Cluster) & {
  chargeWindows(keyCount: number, ...args: (string | number | ((error?: Error | null, reply?: Reply) => void))[]): void;
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
    const sentinel = sentinelOf(new URL(url));
    this.client = this.prepare(sentinel ? new Redis({ ...options, ...sentinel }) : new Redis(url, options));
  }

  /** Waits up to a second for the connection. Connecting continues in the background. */
  async connect(): Promise<void> {
    await withDeadline(this.client.connect(), connectDeadlineMs).catch((error) => this.report(error));
  }

  close(): void {
    this.client.removeAllListeners('close');
    this.client.disconnect();
  }

  /** Calls back with an error at once while Redis is not connected and for a second after a failure, and after 80 ms without a response. */
  readonly charge: Counter = (limits, cost, charged) => {
    const { client } = this;
    if (client.status !== 'ready' || performance.now() < this.retryAt) return charged(notConnected);
    let isSettled = false;
    const settle = (error?: Error | null, reply?: Reply) => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      if (!reply) {
        inBackground(() => this.fail(client, error as Error));
        return charged(error as Error);
      }
      this.report(undefined);
      charged(null, resultOf(limits, cost, reply));
    };
    const onDeadline = () => settle(new Error(`no response within ${countDeadlineMs} ms`));
    // As in withDeadline: what arrived in time is read first.
    const timer = setTimeout(setImmediate, countDeadlineMs, onDeadline);
    const windows = limits.flatMap(({ limit, windowSeconds }) => [limit, windowSeconds * 1_000]);
    client.chargeWindows(limits.length, ...keysOf(limits), cost, ...windows, settle);
  };

  private fail(client: Client, error: Error) {
    // The error of a client that was replaced.
    if (client !== this.client) return;
    if (client instanceof Redis && error.message.startsWith('MOVED ')) return this.useCluster(client);
    this.report(error);
    this.retryAt = performance.now() + retryAfterFailureMs;
    // A silent or demoted server keeps its connections open. A new connection resolves the name again.
    if (client.status === 'ready') client.disconnect(true);
  }

  /** Replaces the client by one for a cluster, after the server has answered MOVED. */
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
    client.defineCommand('chargeWindows', { lua: script });
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

/** The options for `?sentinel=NAME`: the server in the URL is a Sentinel, which knows the primary of this name, and the other Sentinels. */
function sentinelOf({ protocol, hostname, port, username, password, searchParams }: URL) {
  const name = searchParams.get('sentinel');
  if (name === null) return undefined;
  return {
    name,
    sentinels: [{ host: hostname, port: Number(port || 26_379) }],
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    sentinelPassword: searchParams.get('sentinelPassword') ?? undefined,
    ...(protocol === 'rediss:' && { tls: {}, enableTLSForSentinelMode: true }),
    sentinelCommandTimeout: connectDeadlineMs,
    sentinelRetryStrategy: retryDelayMs,
  };
}

function resultOf(limits: readonly CountedLimit[], cost: number, [isAllowed, ...values]: Reply) {
  const isExceeded = isAllowed === 0;
  const states = limits.map((limit, i) => {
    const [count, leftMs] = [values[2 * i] as number, values[2 * i + 1] as number];
    return stateOf(limit, count, leftMs, isExceeded && exceeds(limit, count, cost));
  });
  return { isExceeded, states };
}

/**
 * In a Redis Cluster, all keys of one script need the same hash tag: the owner if there is one, otherwise the key. The per-minute limit
 * of a key without an owner has the name that older versions use.
 */
function keysOf(limits: readonly CountedLimit[]): string[] {
  return limits.map(({ kind, id, ownerId, name, windowSeconds }) => {
    const target = prefixes[kind] + encodeURIComponent(id);
    if (kind !== 'key' || !ownerId)
      return name === minuteName && kind !== 'owner' ? prefixes[kind] + id : `{${target}}:${windowSeconds}`;
    return `{${prefixes.owner}${encodeURIComponent(ownerId)}}:${target}:${windowSeconds}`;
  });
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
