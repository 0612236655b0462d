import type { FastifyBaseLogger } from 'fastify';

/** Those who want to be told of something; one that fails harms nobody else. */
export class Listeners<Args extends unknown[]> {
  private readonly all: ((...args: Args) => void)[] = [];
  private readonly log: FastifyBaseLogger;

  constructor(log: FastifyBaseLogger) {
    this.log = log;
  }

  add(listener: (...args: Args) => void): void {
    this.all.push(listener);
  }

  tell(...args: Args): void {
    for (const listener of this.all) {
      try {
        listener(...args);
      } catch (error) {
        this.log.error({ err: error }, 'request log: what follows from a batch failed');
      }
    }
  }
}
