import { type FastifyReply, type FastifyRequest, LogController } from 'fastify';
import { isUnavailable } from '../plugins/database/unavailable.js';
import { logFieldsOf } from '../plugins/problem-details/failed-requests.js';
import { markBroken } from '../plugins/request-log/pending-replies.js';

/** Replaces Fastify's log lines for requests and responses. */
export class ServiceLogController extends LogController {
  constructor() {
    // No lines for requests: they cost more than the rest of the service, and `request_logs` has them.
    super({ disableRequestLogging: true, requestIdLogLabel: 'requestId' });
  }

  /** A response was aborted after its headers were sent. The row has the status that a new request would get. */
  override streamError(error: Error & { statusCode?: number }, request: FastifyRequest, reply: FastifyReply) {
    // The client disconnected, which is not an error.
    if (request.raw.socket.destroyed) return;
    const statusCode = error.statusCode ?? (isUnavailable(error) ? 503 : 500);
    markBroken(reply, statusCode);
    const level = statusCode >= 500 ? 'error' : 'info';
    request.log[level]({ err: error, ...logFieldsOf(request) }, 'response aborted');
  }
}
