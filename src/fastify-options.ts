import type { FastifyHttpOptions, RawServerDefault } from 'fastify';
import { canonicalizeAddresses } from '../plugins/client-address.js';
import { rejectConnection } from '../plugins/problem-details/client-error.js';
import { writeProblem } from '../plugins/problem-details/index.js';
import { newRequestId } from '../plugins/request-id.js';
import { RequestLogger } from '../plugins/request-logger.js';
import { PreparedResponse } from '../plugins/security-headers/prepared-response.js';
import type { Config } from './config/index.js';
import { ServiceLogController } from './log-controller.js';
import { buildValidator } from './validator.js';

/** Fastify's messages contain the URL, whose query string can have secrets. */
const unroutable: Record<string, string> = {
  FST_ERR_BAD_URL: 'the path cannot be decoded',
  FST_ERR_MAX_PARAM_LENGTH: 'a part of the path is too long',
};

/** The options of Fastify. */
export function fastifyOptions({
  logLevel,
  trustProxy,
  corsOrigins,
  http,
  tracing,
}: Config): FastifyHttpOptions<RawServerDefault> {
  const traceOptions = { startsTraces: tracing !== undefined };
  return {
    logger: { level: logLevel },
    logController: new ServiceLogController(),
    genReqId: newRequestId,
    childLoggerFactory: (logger, { requestId }, options, raw) =>
      new RequestLogger(logger, options, raw, String(requestId), traceOptions),
    requestIdHeader: false,
    trustProxy,
    // During shutdown, requests on open connections are served, and their responses close the connections.
    return503OnClosing: false,
    requestTimeout: http.requestTimeoutMs,
    connectionTimeout: http.idleTimeoutMs,
    bodyLimit: http.bodyBytes,
    // The id of an owner has up to 200 characters, each of one or two UTF-16 units.
    routerOptions: { maxParamLength: 400 },
    http: {
      headersTimeout: http.headersTimeoutMs,
      // How often Node.js checks for connections that exceeded a timeout.
      connectionsCheckingInterval: Math.min(1_000, http.headersTimeoutMs),
      maxHeaderSize: http.headerBytes,
      // Joins repeated Authorization headers, so that they are denied. Otherwise Node.js drops all but the first.
      joinDuplicateHeaders: true,
      // problem-details checks the Host header, and responds with a problem.
      requireHostHeader: false,
      ServerResponse: PreparedResponse,
    },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: 'array' } },
    schemaController: { compilersFactory: { buildValidator } },
    clientErrorHandler: (error, socket) => rejectConnection(corsOrigins, error, socket),
    frameworkErrors(error, request, reply) {
      const { server } = reply;
      canonicalizeAddresses(request.raw, trustProxy !== false);
      server.addSecurityHeaders(reply);
      server.addCorsHeaders(reply);
      server.requestLog.observe(reply);
      writeProblem(Object.assign(error, { message: unroutable[error.code] ?? error.message }), request, reply);
    },
  };
}
