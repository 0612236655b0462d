import type { FastifyBaseLogger } from 'fastify';

const repeatIntervalMs = 60_000;
/** A failure within this time after the last outage continues it, so that an unstable database does not flood the log. */
const sameOutageMs = 5_000;

/**
 * Logs a condition that lasts, such as an outage. It has a line when it begins, when its message changes, once a minute while it
 * lasts, and when it ends. The lines have the number of failures so far. Other failures are at level debug. No line has a stack,
 * which does not explain a connection error.
 */
export class OutageLog {
  private readonly log: FastifyBaseLogger;
  private message: string | undefined;
  private loggedAt = Number.NEGATIVE_INFINITY;
  private endedAt = Number.NEGATIVE_INFINITY;
  private isLogged = false;
  private failures = 0;
  private beganAt = 0;
  private readonly level: 'warn' | 'error';

  constructor(log: FastifyBaseLogger, level: 'warn' | 'error' = 'warn') {
    this.log = log;
    this.level = level;
  }

  /**
   * @param message what failed; the same for each attempt
   * @param details more fields of the log line
   */
  failed(message: string, error: unknown, details: object = {}): void {
    const now = performance.now();
    if (this.message === undefined && now - this.endedAt >= sameOutageMs) {
      this.failures = 0;
      this.beganAt = now;
    }
    this.failures++;
    const isNew = message !== this.message && now - this.endedAt >= sameOutageMs;
    const isDue = isNew || now - this.loggedAt >= repeatIntervalMs;
    const fields = { ...details, failures: this.failures, reason: reasonOf(error) };
    this.log[isDue ? this.level : 'debug'](fields, message);
    if (isDue) {
      this.loggedAt = now;
      this.isLogged = true;
    }
    this.message = message;
  }

  /** @param message what works again; logged after a failure only */
  ended(message: string, details: object = {}): void {
    if (this.message === undefined) return;
    this.message = undefined;
    this.endedAt = performance.now();
    const seconds = Math.round((this.endedAt - this.beganAt) / 1_000);
    if (this.isLogged) this.log.info({ ...details, failures: this.failures, seconds }, message);
    this.isLogged = false;
  }
}

/** The message of an error with its cause. The AggregateError for a host with several addresses has no message of its own. */
export function reasonOf(error: unknown): string {
  const { message, code, errors, cause } = Object(error) as Error & { code?: string; errors?: Error[] };
  const reason = message || errors?.map((each) => each.message).join('; ') || code || String(error);
  return cause instanceof Error && !reason.includes(cause.message) ? `${reason}: ${reasonOf(cause)}` : reason;
}
