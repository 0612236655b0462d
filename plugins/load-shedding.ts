import createError from '@fastify/error';
import underPressure from '@fastify/under-pressure';
import fp from 'fastify-plugin';

export interface LoadSheddingOptions {
  /** The average delay of the event loop above which requests are rejected, in milliseconds; 0: none are. */
  maxEventLoopDelayMs: number;
  /** Paths that are never rejected. */
  exempt: readonly string[];
}

const Overloaded = createError('OVERLOADED', 'this instance is overloaded: try again', 503);
const sampleIntervalMs = 500;
/** How long the event loop must be late. A single stall is no overload, such as a start or a large response. */
const minOverloadMs = 2 * sampleIntervalMs;
/** Short: another instance may have capacity, and this one measures again within that time. */
const retryAfterSeconds = 1;
const warningIntervalMs = 60_000;

/**
 * Rejects requests at once while the event loop is late, so that the others do not wait. An instance that shuts down answers all
 * requests.
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
        if (now - lateUntil > minOverloadMs) lateSince = now;
        lateUntil = now;
        if (now - lateSince < minOverloadMs) return undefined;
        if (app.drain.isDraining || exempted.has(request.routeOptions.url ?? '')) return undefined;
        if (now - warnedAt > warningIntervalMs) {
          warnedAt = now;
          app.log.warn(
            { eventLoopDelayMs: delayMs },
            'overloaded: requests are rejected until the event loop keeps up',
          );
        }
        return Promise.reject(Object.assign(new Overloaded(), { headers: { 'retry-after': `${retryAfterSeconds}` } }));
      },
    });
  },
  { name: 'load-shedding', dependencies: ['drain'] },
);
