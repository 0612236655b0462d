import type { FastifyReply } from 'fastify';
import { PreparedResponse } from '../security-headers/prepared-response.js';

/** The state of a rate limit after a request was counted. */
export interface RateLimitState {
  /** Requests a minute. */
  limit: number;
  remaining: number;
  /** Seconds until the window ends. */
  resetSeconds: number;
  isExceeded: boolean;
}

/** Adds the `ratelimit-*` headers to a response. */
export function addRateLimitHeaders(reply: FastifyReply, state: RateLimitState): void {
  const { limit, remaining, resetSeconds } = state;
  if (reply.raw instanceof PreparedResponse) {
    reply.raw.addLines(
      `ratelimit-limit: ${limit}\r\nratelimit-remaining: ${remaining}\r\nratelimit-reset: ${resetSeconds}\r\n`,
    );
  } else {
    reply.headers(rateLimitHeaders(state));
  }
}

/** @see https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-06 */
export function rateLimitHeaders({ limit, remaining, resetSeconds }: RateLimitState): Record<string, string> {
  return {
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(resetSeconds),
  };
}
