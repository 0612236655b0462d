import type { FastifyReply } from 'fastify';
import { PreparedResponse } from '../security-headers/prepared-response.js';

/** The state of a rate limit after a request was counted. */
export interface RateLimitState {
  /** The name of the limit in the response. */
  policy: string;
  /** Requests a minute. */
  limit: number;
  remaining: number;
  windowSeconds: number;
  /** Seconds until the window ends. */
  resetSeconds: number;
  isExceeded: boolean;
}

/** Adds the headers of a rate limit to a response. */
export function addRateLimitHeaders(reply: FastifyReply, state: RateLimitState): void {
  const { policy, limit, windowSeconds, remaining, resetSeconds } = state;
  if (reply.raw instanceof PreparedResponse) {
    reply.raw.addLines(
      `ratelimit-policy: "${policy}";q=${limit};w=${windowSeconds}\r\nratelimit: "${policy}";r=${remaining};t=${resetSeconds}\r\nratelimit-limit: ${limit}\r\nratelimit-remaining: ${remaining}\r\nratelimit-reset: ${resetSeconds}\r\n`,
    );
  } else {
    reply.headers(rateLimitHeaders(state));
  }
}

/**
 * The fields of draft 10, which are structured, and the older ones with one value each.
 *
 * @see https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10
 */
export function rateLimitHeaders(state: RateLimitState): Record<string, string> {
  const { policy, limit, windowSeconds, remaining, resetSeconds } = state;
  return {
    'ratelimit-policy': `"${policy}";q=${limit};w=${windowSeconds}`,
    ratelimit: `"${policy}";r=${remaining};t=${resetSeconds}`,
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(resetSeconds),
  };
}
