import type { IncomingMessage } from 'node:http';
import type { FastifyBaseLogger, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * The id of the request's trace, 32 hexadecimal digits: of the caller's trace, from a valid `traceparent`. Otherwise null, or with
     * OpenTelemetry the id of the trace that starts here.
     */
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

function traceIdFor(request: Headers, requestId: string, { startsTraces }: TraceContextOptions): string | null {
  return callersTraceId(request) ?? (startsTraces ? newTraceIdOf(requestId) : null);
}

/** The id of the trace of a request, also of one that Fastify answers before its hooks, which has no decorations. */
export function traceIdOf(request: FastifyRequest): string | null {
  const { traceId = callersTraceId(request) } = request as Partial<FastifyRequest> & Headers;
  return traceId;
}

const traceOfLogger = Symbol('trace of a logger');
type RequestLogger = FastifyBaseLogger & { [traceOfLogger]?: () => object };

/** Creates the logger of a request, whose lines have its id and, by `addTrace`, its trace. */
export function requestLoggerOf(
  parent: FastifyBaseLogger,
  childOptions: Parameters<FastifyBaseLogger['child']>[1],
  request: Headers,
  requestId: string,
  options: TraceContextOptions,
): FastifyBaseLogger {
  const logger: RequestLogger = parent.child({ requestId }, childOptions);
  if (request.headers.traceparent !== undefined || options.startsTraces)
    logger[traceOfLogger] = () => traceFieldsOf(traceIdFor(request, requestId, options), requestId);
  return logger;
}

/** Adds the trace of a request to a line of its logger. Not as bindings of the logger, which would cost each traced request 0.5 µs. */
export function addTrace(_line: object, _level: number, logger: RequestLogger): object {
  return logger[traceOfLogger]?.() ?? {};
}

/** The fields of a log line of a request. */
export function traceFieldsOf(traceId: string | null, requestId: string): { trace_id?: string; span_id?: string } {
  return traceId === null ? {} : { trace_id: traceId, span_id: spanIdOf(requestId) };
}

/** Keeps the trace of a request. */
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
