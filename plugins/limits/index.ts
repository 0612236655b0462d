import fp from 'fastify-plugin';
import { type CountedLimit, type Counter, createMemoryCounter } from './counter.js';
import type { ChargeResult } from './limit-state.js';
import { QuotaCounter } from './quota-counter.js';

declare module 'fastify' {
  interface FastifyInstance {
    limits: Limits;
  }
}

export interface Limits {
  /**
   * Charges a request to all of the limits, or to none if it exceeds one. Calls back synchronously when counted in memory.
   *
   * @param limits at least one
   * @param cost 0 to 1,000. 0 charges nothing, and is denied when 1 would be
   */
  charge(limits: readonly CountedLimit[], cost: number, charged: (result: ChargeResult) => void): void;
  readonly quotas: QuotaCounter;
}

export interface LimitsOptions {
  /** The Redis that all replicas count in; undefined: each replica counts in its memory. */
  redisUrl?: string | undefined;
  /** How many keys are cached. */
  maxKeys: number;
}

/** Rate limits, shared by all replicas through Redis, or in memory while Redis is not connected; and quotas. */
export default fp<LimitsOptions>(
  async (app, { redisUrl, maxKeys }) => {
    const inMemory = createMemoryCounter();
    const counter = redisUrl === undefined ? inMemory : await countInRedisOrMemory(redisUrl);
    app.decorate('limits', {
      // The error is always null: counting in memory cannot fail, and counting in Redis falls back to memory.
      charge: (limits, cost, charged) => counter(limits, cost, (_error, result) => charged(result as ChargeResult)),
      // A key has up to two quotas: its own, and that of its owner.
      quotas: new QuotaCounter(2 * maxKeys),
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
      return (limits, cost, charged) =>
        redis.charge(limits, cost, (error, result) =>
          error ? inMemory(limits, cost, charged) : charged(null, result),
        );
    }
  },
  { name: 'limits' },
);
