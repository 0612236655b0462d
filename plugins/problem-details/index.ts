import { STATUS_CODES, validateHeaderValue } from 'node:http';
import createError from '@fastify/error';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { isUnavailable } from '../database/unavailable.js';
import { addRequestId, incomingRequestIdOf } from '../request-id.js';
import { traceIdOf } from '../trace-context.js';
import { dataProblemOf } from './data-errors.js';
import { FailedRequests, logFieldsOf } from './failed-requests.js';
import { Problem, problemMediaType } from './schema.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Requests that failed because the database was not available. */
    failedRequests: FailedRequests;
  }
  interface FastifyError {
    /** Headers of the error response, such as `WWW-Authenticate`. */
    headers?: Record<string, string>;
  }
}

const HostMissing = createError('HOST_MISSING', 'a request must have a Host header', 400);
const HostRepeated = createError('HOSTS_DIFFER', 'a request must have one Host header', 400);

/** Sends errors as problem+json (RFC 9457). Unexpected errors are logged, and their messages are not sent. */
export default fp(
  async (app) => {
    app.addSchema(Problem);
    app.decorate('failedRequests', new FailedRequests(app.log));
    // Handles errors of onSend hooks and invalid headers, for which reply.send would fail again.
    app.setErrorHandler(writeProblem);
    const fallback = app.errorHandler;
    app.addHook('onRoute', function (route) {
      if (this.errorHandler === fallback) route.errorHandler ??= sendProblem;
    });
    // After all onRequest hooks, so that the response has its headers and its row.
    app.addHook('preParsing', (request, _reply, payload, done) => {
      const { host } = request.headers;
      if (host === undefined && request.raw.httpVersion === '1.1') done(new HostMissing());
      // With joinDuplicateHeaders, Node.js joins repeated Host headers with a comma and a space.
      else if (host?.includes(' ')) done(new HostRepeated());
      else done(null, payload);
    });
    // By default Node.js responds to an unknown Expect with 417. RFC 9110 allows ignoring it.
    app.server.on('checkExpectation', app.routing);
  },
  { name: 'problem-details' },
);

/** The error handler of routes. */
export function sendProblem(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  const { problem, headers } = problemFor(error, request);
  // Fastify would close the connection while the client is still sending, so that the client gets a reset in place of the response.
  // Read and discard the rest, up to the request timeout.
  reply.removeHeader('connection');
  return reply.code(problem.status).headers(headers).type(problemMediaType).send(problem);
}

/** Writes a problem without Fastify's hooks and serializer. Also handles errors outside of routes. */
export function writeProblem(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  const { problem, headers } = problemFor(error, request);
  const body = JSON.stringify(problem);
  const kept = Object.entries(reply.getHeaders()).filter(([name, value]) => isSendable(name, value));
  reply.hijack();
  addRequestId(reply);
  reply.raw.writeHead(problem.status, {
    ...(Object.fromEntries(kept) as Record<string, string>),
    ...headers,
    'content-type': problemMediaType,
    'content-length': String(Buffer.byteLength(body)),
  });
  reply.raw.end(body);
}

const bodyHeaders = new Set([
  ...['content-type', 'content-length', 'content-encoding', 'content-disposition', 'content-range'],
  ...['connection', 'transfer-encoding', 'trailer', 'etag', 'last-modified', 'x-request-id'],
]);

/** Whether to keep a header of the failed response: it is valid and does not describe the old body. */
function isSendable(name: string, value: unknown): boolean {
  if (bodyHeaders.has(name)) return false;
  try {
    validateHeaderValue(name, value as string);
    return true;
  } catch {
    return false;
  }
}

type ProblemFields = Pick<Problem, 'status' | 'code' | 'detail' | 'errors'>;

/** Creates the problem for an error. Logs details that are not sent. */
function problemFor(
  thrown: FastifyError,
  request: FastifyRequest,
): { problem: Problem; headers: Record<string, string> } {
  // A route can throw null.
  const error = thrown ?? new Error(`${thrown} was thrown`);
  const { problemFields, headers } = problemFieldsOf(error, request);
  return {
    problem: problemOf(problemFields, request.id, incomingRequestIdOf(request), traceIdOf(request)),
    headers,
  };
}

function problemFieldsOf(
  error: FastifyError,
  request: FastifyRequest,
): { problemFields: ProblemFields; headers: Record<string, string> } {
  const status = error.statusCode && error.statusCode >= 400 ? error.statusCode : 500;
  const headers = error.headers ?? {};
  if (error.validation) return { problemFields: validationProblem(error, status), headers };
  if (status < 500 || status === 503)
    return { problemFields: { status, code: codeOf(error), detail: error.message }, headers };
  if (isUnavailable(error)) {
    request.server.failedRequests.add(request, error);
    const detail = 'the database does not answer, or is read-only, at the moment';
    return {
      problemFields: { status: 503, code: 'DATABASE_UNAVAILABLE', detail },
      headers: { ...headers, 'retry-after': '1' },
    };
  }
  const data = dataProblemOf(error);
  if (data) {
    request.log.info({ err: error, ...logFieldsOf(request) }, 'request denied: the database rejects its data');
    const { fields, ...problemFields } = data;
    const errors = fields.map((field) => ({ path: `/body/${field}`, message: data.detail }));
    return { problemFields: { ...problemFields, ...(errors.length > 0 && { errors }) }, headers };
  }
  request.log.error({ err: error, ...logFieldsOf(request) }, 'request failed');
  return {
    problemFields: { status, code: 'INTERNAL_ERROR', detail: 'the service failed to answer this request' },
    headers,
  };
}

function validationProblem(error: FastifyError, status: number): ProblemFields {
  const found = (error.validation ?? []).map(({ instancePath, keyword, params, message = 'is invalid' }) => ({
    path: `/${error.validationContext}${instancePath}${fieldOf(keyword, params)}`,
    keyword,
    message,
  }));
  // A field with alternatives has an error for each of them, and one that sums them up.
  const withAlternatives = new Set(found.filter(({ keyword }) => keyword === 'anyOf').map(({ path }) => path));
  const messagesOf = (path: string) =>
    found.filter((one) => one.path === path && one.keyword !== 'anyOf').map(({ message }) => message);
  const errors = [
    ...found.filter(({ path }) => !withAlternatives.has(path)).map(({ path, message }) => ({ path, message })),
    ...[...withAlternatives].map((path) => ({ path, message: messagesOf(path).join(', or ') })),
  ];
  const detail = errors.map(({ path, message }) => `${path} ${message}`).join('; ');
  return { status, code: 'VALIDATION_FAILED', detail, errors };
}

/** Ajv reports the object for missing and unknown properties. The problem names the property. */
function fieldOf(keyword: string, params: Record<string, unknown>) {
  const field = keyword === 'required' ? params.missingProperty : params.additionalProperty;
  return field === undefined ? '' : `/${field}`;
}

// Fastify's codes start with FST_ERR_, which is of no use to clients.
function codeOf({ code }: FastifyError) {
  return code ? code.replace(/^FST_ERR_(CTP_)?/, '') : 'BAD_REQUEST';
}

/** Creates a problem, with its fields in reading order. */
export function problemOf(
  { status, code, detail, errors }: ProblemFields,
  requestId: string,
  incomingRequestId?: string,
  traceId?: string | null,
): Problem {
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    ...{ status, detail, code, requestId },
    ...(incomingRequestId && { incomingRequestId }),
    ...(traceId && { traceId }),
    ...(errors && { errors }),
  };
}
