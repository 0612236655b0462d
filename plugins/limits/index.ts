import fp from 'fastify-plugin';
import { withDeadline } from '../database/deadline.js';
import { StartError } from '../start-error.js';
import { type Counter, countInMemory, countInRedis, type RateLimitTarget } from './counter.js';
import type { RateLimitState } from './rate-limit-state.js';

declare module 'fastify' {
  interface FastifyInstance {
    limits: Limits;
  }
}

export interface Limits {
  /** Counts one request of a target and calls back with the state of its limit; synchronously when counted in memory. */
  count(target: RateLimitTarget, counted: (state: RateLimitState) => void): void;
}

export interface LimitsOptions {
  /** The Redis that all replicas count in; undefined: each replica counts in its memory. */
  redisUrl?: string | undefined;
}

const connectDeadlineMs = 1_000;
const commandTimeoutMs = 250;
/** How long to count in memory after an error of Redis, before the next command is tried. */
const retryAfterFailureMs = 1_000;
const maxReconnectDelayMs = 2_000;

/** Rate limits by the minute: shared by all replicas through Redis, or in memory while Redis is not connected. */
export default fp<LimitsOptions>(
  async (app, { redisUrl }) => {
    const inMemory = countInMemory();
    const counter = redisUrl === undefined ? inMemory : await countInRedisOrMemory(redisUrl);
    app.decorate('limits', {
      // The error is always null: counting in memory cannot fail, and counting in Redis falls back to memory.
      count: (target, counted) => counter(target, (_error, state) => counted(state as RateLimitState)),
    });

    async function countInRedisOrMemory(url: string): Promise<Counter> {
      // Loaded on demand: it takes 5 % of the start.
      const { Redis } = await import('ioredis');
      const redis = new Redis(url, {
        lazyConnect: true,
        connectTimeout: connectDeadlineMs,
        commandTimeout: commandTimeoutMs,
        // Requests do not wait for a reconnect.
        enableOfflineQueue: false,
        maxRetriesPerRequest: 0,
        autoResendUnfulfilledCommands: false,
        retryStrategy: (attempt) => Math.min(maxReconnectDelayMs, 100 * attempt) * (0.5 + Math.random() / 2),
      });
      const inRedis = countInRedis(redis);
      app.addHook('onClose', () => {
        redis.off('close', onClosed);
        redis.disconnect();
      });

      let isRedisDown = false;
      let retryAt = 0;
      redis.on('error', reportFailure);
      redis.on('close', onClosed);
      await withDeadline(redis.connect(), connectDeadlineMs).catch(reportFailure);
      await rejectCluster(redis);

      return (target, counted) => {
        if (redis.status !== 'ready' || performance.now() < retryAt) return inMemory(target, counted);
        inRedis(target, (error, state) => {
          if (error) {
            reportFailure(error);
            // A silent or demoted server keeps its connections open. A new connection resolves the name again.
            if (redis.status === 'ready') redis.disconnect(true);
            retryAt = performance.now() + retryAfterFailureMs;
            return inMemory(target, counted);
          }
          if (isRedisDown) app.log.info('limits: Redis is connected, all replicas share their counts');
          isRedisDown = false;
          counted(null, state);
        });
      };

      function onClosed() {
        reportFailure(new Error('the connection has ended'));
      }

      /** Logs the first failure only, by its message: an ioredis error contains the command with the password. */
      function reportFailure({ message }: Error) {
        if (isRedisDown) return;
        isRedisDown = true;
        app.log.warn({ reason: message }, 'limits: Redis is not available, this replica counts in memory');
      }
    }
  },
  { name: 'limits' },
);

/** Redis Cluster spreads keys over servers, and this client does not follow its redirects. */
async function rejectCluster(redis: import('ioredis').Redis) {
  if (redis.status !== 'ready') return;
  const info = await redis.info('cluster').catch(() => '');
  if (!info.includes('cluster_enabled:1')) return;
  redis.disconnect();
  throw new StartError('REDIS_URL: this server is part of a Redis Cluster; name a Redis without cluster mode');
}
