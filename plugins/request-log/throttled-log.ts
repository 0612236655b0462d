import type { FastifyBaseLogger } from 'fastify';

const intervalMs = 60_000;

/** Logs errors that can repeat with each record: each topic once a minute. */
export class ThrottledLog {
  private readonly log: FastifyBaseLogger;
  private readonly loggedAt = new Map<string, number>();

  constructor(log: FastifyBaseLogger) {
    this.log = log;
  }

  error(topic: string, details: object, message: string): void {
    const now = performance.now();
    if (now - (this.loggedAt.get(topic) ?? Number.NEGATIVE_INFINITY) < intervalMs) return;
    this.loggedAt.set(topic, now);
    this.log.error(details, message);
  }
}
