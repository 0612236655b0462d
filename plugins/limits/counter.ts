import { createRequire } from 'node:module';
import type { Redis } from 'ioredis';
import type { Standing } from './standing.js';

/** What is counted, and up to what. */
export interface Subject {
  /** Of each kind so many are remembered: those who guess must not push keys out. */
  kind: 'key' | 'guesser';
  id: string;
  /** Requests a minute. */
  limit: number;
}

/** Told how the subject stands; or what Redis threw, where the counts are there. */
export type Counted = (error: Error | null, standing?: Standing) => void;

/** Counts one more request for a subject, in windows of a minute. */
export type Counter = (subject: Subject, counted: Counted) => void;

/**
 * One of the two stores of `@fastify/rate-limit`. Asked by themselves, since all that the plugin does around them is
 * asynchronous: it would cost a request more than authentication does.
 */
interface Store {
  incr(
    id: string,
    done: (error: Error | null, count: { current: number; ttl: number }) => void,
    windowMs: number,
    limit: number,
  ): void;
}
interface Stores {
  local: new (continueExceeding: boolean, exponentialBackoff: boolean, maxSubjects: number) => Store;
  redis: new (continueExceeding: boolean, exponentialBackoff: boolean, redis: Redis, prefix: string) => Store;
}

const require = createRequire(import.meta.url);
const LocalStore: Stores['local'] = require('@fastify/rate-limit/store/LocalStore');
const RedisStore: Stores['redis'] = require('@fastify/rate-limit/store/RedisStore');

const minuteMs = 60_000;
/** Subjects of each kind that are counted in memory; the one seen longest ago goes first. */
const maxSubjects = 50_000;

/** Counts in this process's memory, and answers at once. */
export function countAlone(): Counter {
  const key = new LocalStore(false, false, maxSubjects);
  const guesser = new LocalStore(false, false, maxSubjects);
  return counterOf({ key, guesser });
}

/** Counts in Redis, with all others who do. */
export function countTogether(redis: Redis): Counter {
  const key = new RedisStore(false, false, redis, 'musicez:limit:key:');
  const guesser = new RedisStore(false, false, redis, 'musicez:limit:guesser:');
  return counterOf({ key, guesser });
}

function counterOf(stores: Record<Subject['kind'], Store>): Counter {
  return ({ kind, id, limit }, counted) => {
    stores[kind].incr(
      id,
      (error, count) => {
        if (error) return counted(error);
        const { current, ttl } = count;
        const remaining = Math.max(0, limit - current);
        counted(null, { limit, remaining, resetSeconds: Math.ceil(ttl / 1000), exceeded: current > limit });
      },
      minuteMs,
      limit,
    );
  };
}
