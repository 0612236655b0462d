import type { FastifyBaseLogger } from 'fastify';

/** Callbacks of an event. An error in one is logged, and the others are called. */
export class Listeners<Args extends unknown[]> {
  private readonly all: ((...args: Args) => void)[] = [];
  private readonly log: FastifyBaseLogger;

  constructor(log: FastifyBaseLogger) {
    this.log = log;
  }

  add(listener: (...args: Args) => void): void {
    this.all.push(listener);
  }

  emit(...args: Args): void {
    for (const listener of this.all) {
      try {
        listener(...args);
      } catch (error) {
        this.log.error({ err: error }, 'request log: a listener failed');
      }
    }
  }
}
