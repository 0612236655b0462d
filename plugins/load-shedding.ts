import createError from '@fastify/error';
import underPressure from '@fastify/under-pressure';
import fp from 'fastify-plugin';

export interface LoadSheddingOptions {
  /** How late the event loop may be on average, in milliseconds, before requests are turned away; 0 turns none away. */
  maxEventLoopDelayMs: number;
  /** Paths that are answered all the same. */
  exempt: readonly string[];
}

const Overloaded = createError('OVERLOADED', 'there is more to do than this instance can: try again', 503);
/** Soon, for another instance may have room, and this one looks again as often. */
const sampleIntervalMs = 500;
/** One stall is no overload: a start, a large answer, a neighbour on the machine. It is over with its sample. */
const patienceMs = 2 * sampleIntervalMs;
const retryAfterSeconds = 1;
const warningEveryMs = 60_000;

/**
 * Turns requests away at once when the event loop is late, rather than letting all of them wait. A draining instance answers
 * what it still gets: there is nothing to be saved any more.
 */
export default fp<LoadSheddingOptions>(
  async (app, { maxEventLoopDelayMs, exempt }) => {
    const exempted = new Set(exempt);
    let warnedAt = Number.NEGATIVE_INFINITY;
    let lateSince = 0;
    let lateUntil = Number.NEGATIVE_INFINITY;

    await app.register(underPressure, {
      maxEventLoopDelay: maxEventLoopDelayMs,
      sampleInterval: sampleIntervalMs,
      pressureHandler(request, _reply, _type, delayMs) {
        const now = performance.now();
        if (now - lateUntil > patienceMs) lateSince = now;
        lateUntil = now;
        if (now - lateSince < patienceMs) return undefined;
        if (app.drain.isDraining || exempted.has(request.routeOptions.url ?? '')) return undefined;
        if (now - warnedAt > warningEveryMs) {
          warnedAt = now;
          app.log.warn(
            { eventLoopDelayMs: delayMs },
            'overloaded: requests are turned away until the event loop keeps up',
          );
        }
        return Promise.reject(Object.assign(new Overloaded(), { headers: { 'retry-after': `${retryAfterSeconds}` } }));
      },
    });
  },
  { name: 'load-shedding', dependencies: ['drain'] },
);
