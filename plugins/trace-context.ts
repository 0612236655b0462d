import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyRequest {
    /** The trace id, 32 hexadecimal digits: the caller's, from a valid `traceparent`. Without one, a new id if spans are on, else null. */
    readonly traceId: string | null;
  }
}

/** `version-trace-parent-flags`. Version ff is invalid, and so are ids of zeros; later versions can have more fields. */
const format = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;
/** The length of the header in version 00. */
export const traceparentLength = 55;

/**
 * @param traceparent the header; Node.js joins repeated headers, which makes them invalid
 * @returns the id of the trace; null for an invalid header, which is ignored
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function traceIdIn(traceparent: string): string | null {
  if (!format.test(traceparent)) return null;
  if (traceparent.length === traceparentLength) return traceparent.slice(3, 35);
  if (traceparent.startsWith('00')) return null;
  // A slice would keep the whole header in memory while the record waits.
  return Buffer.from(traceparent.slice(3, 35)).toString();
}

/** The id of a trace that starts with a request: the digits of the request's id, a UUIDv7. */
export function newTraceIdOf(requestId: string): string {
  return requestId.replaceAll('-', '');
}

/** The id of the span of a request: the random digits of the request's id, a UUIDv7. */
export function spanIdOf(requestId: string): string {
  return requestId.slice(19, 23) + requestId.slice(24);
}

/** Where the traces of requests come from. */
export interface TraceContextOptions {
  /** Whether a request without a trace starts one. */
  startsTraces: boolean;
}

type Headers = Pick<IncomingMessage, 'headers'>;

function callersTraceId({ headers: { traceparent } }: Headers): string | null {
  return traceparent === undefined ? null : traceIdIn(String(traceparent));
}

/** The trace id of a request with this id. */
export function traceIdFor(request: Headers, requestId: string, { startsTraces }: TraceContextOptions): string | null {
  return callersTraceId(request) ?? (startsTraces ? newTraceIdOf(requestId) : null);
}

/** The trace id of a request. Also works for requests that Fastify rejects before its hooks, which have no property `traceId`. */
export function traceIdOf(request: FastifyRequest): string | null {
  const { traceId } = request as Partial<FastifyRequest>;
  if (traceId !== undefined) return traceId;
  return (request.log as { traceId?: string | null }).traceId ?? callersTraceId(request);
}

interface TraceFields {
  trace_id?: string;
  span_id?: string;
}

/** The fields of a log line of a request. */
export function traceFieldsOf(traceId: string | null, requestId: string): TraceFields {
  return traceId === null ? {} : { trace_id: traceId, span_id: spanIdOf(requestId) };
}

/** Adds `request.traceId`. */
export default fp<TraceContextOptions>(
  async (app, options) => {
    app.decorateRequest('traceId', {
      getter(this: FastifyRequest) {
        return traceIdFor(this, this.id, options);
      },
    });
  },
  { name: 'trace-context' },
);
