import type { FastifyReply } from 'fastify';
import fp from 'fastify-plugin';
import { PreparedResponse } from './security-headers/prepared-response.js';

/** Says in `x-request-id` by which id the request is found in the log and in `request_logs`. */
export default fp(
  async (app) => {
    app.addHook('onRequest', (_request, reply, done) => {
      addRequestId(reply);
      done();
    });
  },
  { name: 'request-id' },
);

/** For answers that are sent before any hook runs, too. */
export function addRequestId(reply: FastifyReply) {
  const { id } = reply.request;
  if (reply.raw instanceof PreparedResponse) reply.raw.addLines(`x-request-id: ${id}\r\n`);
  else reply.header('x-request-id', id);
}
