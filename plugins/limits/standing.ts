import type { FastifyReply } from 'fastify';
import { PreparedResponse } from '../security-headers/prepared-response.js';

/** How much of a limit is used up. */
export interface Standing {
  /** Requests a minute. */
  limit: number;
  remaining: number;
  /** Seconds until it begins anew. */
  resetSeconds: number;
  exceeded: boolean;
}

/** Tells the client where it stands. */
export function addLimitFields(reply: FastifyReply, standing: Standing): void {
  const { limit, remaining, resetSeconds } = standing;
  if (reply.raw instanceof PreparedResponse) {
    reply.raw.addLines(
      `ratelimit-limit: ${limit}\r\nratelimit-remaining: ${remaining}\r\nratelimit-reset: ${resetSeconds}\r\n`,
    );
  } else {
    reply.headers(fieldsOf(standing));
  }
}

/** @see https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-06 */
export function fieldsOf({ limit, remaining, resetSeconds }: Standing): Record<string, string> {
  return {
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(resetSeconds),
  };
}
