import type { FastifyBaseLogger } from 'fastify';

const repeatIntervalMs = 60_000;
/** A failure within this time after the last outage continues it, so that an unstable database does not flood the log. */
const sameOutageMs = 5_000;

/**
 * Logs an outage: a warning when it begins, when the message changes, and once a minute while it lasts; other failures at level
 * debug; one line when it ends. Without stacks, which do not explain connection errors.
 */
export class OutageLog {
  private readonly log: FastifyBaseLogger;
  private message: string | undefined;
  private loggedAt = Number.NEGATIVE_INFINITY;
  private endedAt = Number.NEGATIVE_INFINITY;
  private isLogged = false;

  constructor(log: FastifyBaseLogger) {
    this.log = log;
  }

  /**
   * @param message what failed; the same for each attempt
   * @param details more fields of the log line
   */
  failed(message: string, error: unknown, details: object = {}): void {
    const now = performance.now();
    const isNew = message !== this.message && now - this.endedAt >= sameOutageMs;
    const isDue = isNew || now - this.loggedAt >= repeatIntervalMs;
    this.log[isDue ? 'warn' : 'debug']({ ...details, reason: reasonOf(error) }, message);
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
    if (this.isLogged) this.log.info(details, message);
    this.isLogged = false;
  }
}

/** The message of an error with its cause. The AggregateError for a host with several addresses has no message of its own. */
export function reasonOf(error: unknown): string {
  const { message, code, errors, cause } = Object(error) as Error & { code?: string; errors?: Error[] };
  const reason = message || errors?.map((each) => each.message).join('; ') || code || String(error);
  return cause instanceof Error && !reason.includes(cause.message) ? `${reason}: ${reasonOf(cause)}` : reason;
}
