import { randomFillSync } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import fp from 'fastify-plugin';
import { V7Generator } from 'uuidv7';
import { PreparedResponse } from './security-headers/prepared-response.js';

// Many at once: to ask for the few that an id needs costs twice as much as all the rest of it.
const randomNumbers = new Uint32Array(1_024);
let used = randomNumbers.length;
const ids = new V7Generator({
  nextUint32() {
    if (used === randomNumbers.length) {
      randomFillSync(randomNumbers);
      used = 0;
    }
    return randomNumbers[used++] as number;
  },
});

/** A UUIDv7, higher than any before it. */
export function newRequestId(): string {
  return ids.generate().toString();
}

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
