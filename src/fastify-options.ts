import { type FastifyHttpOptions, LogController, type RawServerDefault } from 'fastify';
import { refuseConnection } from '../plugins/problem-details/client-error.js';
import { sendProblem } from '../plugins/problem-details/index.js';
import { addRequestId, newRequestId } from '../plugins/request-id.js';
import { PreparedResponse } from '../plugins/security-headers/prepared-response.js';
import type { Config } from './config/index.js';
import { buildValidator } from './validator.js';

/** Fastify says the whole URL, and a query string may have in it what is not to be repeated. */
const unroutable: Record<string, string> = {
  FST_ERR_BAD_URL: 'the path cannot be decoded',
  FST_ERR_MAX_PARAM_LENGTH: 'a part of the path is too long',
};

/** Fastify's own options, the same for the process and for the tests. */
export function fastifyOptions({ logLevel, trustProxy, http }: Config) {
  return {
    logger: { level: logLevel },
    // Two lines a request cost more than all the rest of the service; `request_logs` has them.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: newRequestId,
    requestIdHeader: false,
    trustProxy,
    // While it drains, a request on a connection that is still open is served; the answer ends the connection.
    return503OnClosing: false,
    requestTimeout: http.requestTimeoutMs,
    connectionTimeout: http.idleTimeoutMs,
    bodyLimit: http.bodyBytes,
    http: {
      headersTimeout: http.headersTimeoutMs,
      // How often Node.js looks for those that have had their time.
      connectionsCheckingInterval: Math.min(1_000, http.headersTimeoutMs),
      maxHeaderSize: http.headerBytes,
      // A repeated Authorization header is seen, and refused, rather than dropped unseen.
      joinDuplicateHeaders: true,
      // A missing Host is refused by problem-details, with a problem.
      requireHostHeader: false,
      ServerResponse: PreparedResponse,
    },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: 'array' } },
    schemaController: { compilersFactory: { buildValidator } },
    clientErrorHandler: refuseConnection,
    frameworkErrors(error, request, reply) {
      const { server } = reply;
      server.addSecurityHeaders(reply);
      addRequestId(reply);
      server.requestLog.observe(reply);
      sendProblem(Object.assign(error, { message: unroutable[error.code] ?? error.message }), request, reply);
    },
  } satisfies FastifyHttpOptions<RawServerDefault>;
}
