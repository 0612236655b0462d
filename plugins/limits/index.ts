import fp from 'fastify-plugin';
import { type Counter, countInMemory, type RateLimitTarget } from './counter.js';
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
      const { RedisCounter } = await import('./redis-counter.js');
      const redis = new RedisCounter(url, (failure) => {
        // Only the message: an ioredis error contains the command with the password.
        if (failure)
          app.log.warn({ reason: failure.message }, 'limits: Redis is not available, this replica counts in memory');
        else app.log.info('limits: Redis is connected, all replicas share their counts');
      });
      app.addHook('onClose', async () => redis.close());
      await redis.connect();
      return (target, counted) =>
        redis.count(target, (error, state) => (error ? inMemory(target, counted) : counted(null, state)));
    }
  },
  { name: 'limits' },
);
