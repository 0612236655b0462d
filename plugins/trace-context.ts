import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyRequest {
    /** The id of the caller's trace, 32 hexadecimal digits, from a valid `traceparent`; null without one. */
    readonly traceId: string | null;
  }
}

/** `version-trace-parent-flags`. Version ff is invalid, and so are ids of zeros; later versions can have more fields. */
const format = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;
const length = 55;
const maxLength = 512;

/**
 * @param traceparent the header; repeated headers are joined, and invalid
 * @returns the id of the trace; null for an invalid header, which is ignored
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function traceIdIn(traceparent: string): string | null {
  if (traceparent.length > maxLength || !format.test(traceparent)) return null;
  return traceparent.length > length && traceparent.startsWith('00') ? null : traceparent.slice(3, 35);
}

/** The id of the caller's trace; null without one. */
export function traceIdOf({ headers: { traceparent } }: Pick<IncomingMessage, 'headers'>): string | null {
  return traceparent === undefined ? null : traceIdIn(String(traceparent));
}

/**
 * The fields of log lines of a request: its id, and its trace if it has one. The span of this service has the random digits of the request's id.
 *
 * @param requestId a UUIDv7
 */
export function logBindingsOf(request: Pick<IncomingMessage, 'headers'>, requestId: string) {
  const traceId = traceIdOf(request);
  if (traceId === null) return { requestId };
  // Not with a spread, which would cost more than all the rest.
  return { requestId, trace_id: traceId, span_id: requestId.slice(19, 23) + requestId.slice(24) };
}

/** Keeps the trace of a request. */
export default fp(
  async (app) => {
    app.decorateRequest('traceId', {
      getter(this: FastifyRequest) {
        return traceIdOf(this);
      },
    });
  },
  { name: 'trace-context' },
);
