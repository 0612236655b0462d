import { STATUS_CODES } from 'node:http';
import createError from '@fastify/error';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { isUnavailable } from '../database/unavailable.js';
import { Problem, problemMediaType } from './schema.js';

declare module 'fastify' {
  interface FastifyError {
    /** Header fields that belong to this answer, such as `WWW-Authenticate`. */
    headers?: Record<string, string>;
  }
}

const HostMissing = createError('HOST_MISSING', 'a request must have a Host header field', 400);
const HostsDiffer = createError('HOSTS_DIFFER', 'a request must have one Host header field', 400);

/** Every error leaves as RFC 9457 problem+json; what an unexpected one was about goes to the log and not to the client. */
export default fp(
  async (app) => {
    app.addSchema(Problem);
    app.setErrorHandler(sendProblem);
    app.setNotFoundHandler((request, reply) => {
      const path = request.url.split('?', 1)[0];
      const detail = `there is no ${request.method} ${path}`;
      return send(request, reply, { status: 404, code: 'NOT_FOUND', detail });
    });
    // After every onRequest, so that the answer has its headers and its row.
    app.addHook('preParsing', (request, _reply, payload, done) => {
      const { host } = request.headers;
      if (host === undefined && request.raw.httpVersion === '1.1') done(new HostMissing());
      // Two that were joined have a space between them.
      else if (host?.includes(' ')) done(new HostsDiffer());
      else done(null, payload);
    });
    // Node.js would answer an unknown Expect by itself; RFC 9110 lets it be ignored.
    app.server.on('checkExpectation', app.routing);
  },
  { name: 'problem-details' },
);

/** Fastify's error handler, also for errors that arise before any route is found. */
export function sendProblem(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  const status = error.statusCode && error.statusCode >= 400 ? error.statusCode : 500;
  // Fastify would close on a client that is still sending, which then finds a broken pipe in place of the answer. What it
  // sends is read and dropped, for as long as a request may take.
  reply.removeHeader('connection');
  if (error.headers) reply.headers(error.headers);
  if (error.validation) {
    const errors = error.validation.map(({ instancePath, keyword, params, message = 'is invalid' }) => ({
      path: `/${error.validationContext}${instancePath}${fieldOf(keyword, params)}`,
      message,
    }));
    const detail = errors.map(({ path, message }) => `${path} ${message}`).join('; ');
    return send(request, reply, { status, code: 'VALIDATION_FAILED', detail, errors });
  }
  if (status < 500 || status === 503)
    return send(request, reply, { status, code: codeOf(error), detail: error.message });
  if (isUnavailable(error)) {
    request.log.warn({ err: error }, 'request failed: the database does not answer');
    reply.header('retry-after', '1');
    return send(request, reply, {
      status: 503,
      code: 'DATABASE_UNAVAILABLE',
      detail: 'the database does not answer just now',
    });
  }
  request.log.error({ err: error }, 'request failed');
  return send(request, reply, { status, code: 'INTERNAL_ERROR', detail: 'the service failed to answer this request' });
}

/** Ajv names the object that lacks or should not have a field; a client wants the field. */
function fieldOf(keyword: string, params: Record<string, unknown>) {
  const field = keyword === 'required' ? params.missingProperty : params.additionalProperty;
  return field === undefined ? '' : `/${field}`;
}

// Fastify's own codes are named after Fastify, and clients should not have to care.
function codeOf({ code }: FastifyError) {
  return code ? code.replace(/^FST_ERR_(CTP_)?/, '') : 'BAD_REQUEST';
}

type Particulars = Pick<Problem, 'status' | 'code' | 'detail' | 'errors'>;

function send(request: FastifyRequest, reply: FastifyReply, particulars: Particulars) {
  return reply.code(particulars.status).type(problemMediaType).send(problemOf(particulars, request.id));
}

/** Puts a problem together, in the order in which people read it. */
export function problemOf({ status, code, detail, errors }: Particulars, requestId: string): Problem {
  const title = STATUS_CODES[status] ?? 'Error';
  return { type: 'about:blank', title, status, detail, code, requestId, ...(errors && { errors }) };
}
