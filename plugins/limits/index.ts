import fp from 'fastify-plugin';
import { withDeadline } from '../database/deadline.js';
import { type Counter, countAlone, countTogether, type Subject } from './counter.js';
import type { Standing } from './standing.js';

declare module 'fastify' {
  interface FastifyInstance {
    limits: Limits;
  }
}

export interface Limits {
  /** Counts one more request for a subject, and says how it stands; at once where the counts are in memory. */
  count(subject: Subject, counted: (standing: Standing) => void): void;
}

export interface LimitsOptions {
  /** A Redis that all replicas count in; without one each counts alone. */
  redisUrl?: string | undefined;
}

const connectDeadlineMs = 1_000;
const commandTimeoutMs = 250;
/** How long to count alone after Redis has failed, rather than find out again with each request. */
const retryAfterFailureMs = 1_000;
const longestReconnectMs = 2_000;

/** Counts requests by the minute: shared by all replicas through Redis, or, while there is none, in this process. */
export default fp<LimitsOptions>(
  async (app, { redisUrl }) => {
    const alone = countAlone();
    const counter = redisUrl === undefined ? alone : await countTogetherOrAlone(redisUrl);
    app.decorate('limits', {
      // Neither counter fails: the one in memory cannot, the other turns to it.
      count: (subject, counted) => counter(subject, (_error, standing) => counted(standing as Standing)),
    });

    async function countTogetherOrAlone(url: string): Promise<Counter> {
      // Only where there is one: to load it is a twentieth of the start.
      const { Redis } = await import('ioredis');
      const redis = new Redis(url, {
        lazyConnect: true,
        connectTimeout: connectDeadlineMs,
        commandTimeout: commandTimeoutMs,
        // A request does not wait for Redis to come back.
        enableOfflineQueue: false,
        maxRetriesPerRequest: 0,
        autoResendUnfulfilledCommands: false,
        retryStrategy: (attempt) => Math.min(longestReconnectMs, 100 * attempt) * (0.5 + Math.random() / 2),
      });
      const together = countTogether(redis);
      app.addHook('onClose', () => {
        redis.off('close', closed);
        redis.disconnect();
      });

      let isLost = false;
      let retryAt = 0;
      redis.on('error', lose);
      redis.on('close', closed);
      await withDeadline(redis.connect(), connectDeadlineMs).catch(lose);

      return (subject, counted) => {
        if (redis.status !== 'ready' || performance.now() < retryAt) return alone(subject, counted);
        together(subject, (error, standing) => {
          if (error) {
            lose(error);
            retryAt = performance.now() + retryAfterFailureMs;
            return alone(subject, counted);
          }
          if (isLost) app.log.info('limits: Redis is back, replicas count together again');
          isLost = false;
          counted(null, standing);
        });
      };

      function closed() {
        lose(new Error('the connection has ended'));
      }

      /** Said once, not with each request or attempt to connect. An error of ioredis carries the command, password and all. */
      function lose({ message }: Error) {
        if (isLost) return;
        isLost = true;
        app.log.warn({ reason: message }, 'limits: Redis does not answer, each replica counts alone');
      }
    }
  },
  { name: 'limits' },
);
