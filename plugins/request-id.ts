import { randomFillSync } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { V7Generator } from 'uuidv7';
import { clock } from './clock.js';
import { PreparedResponse } from './security-headers/prepared-response.js';

// Random bytes are fetched in bulk: fetching them for each id would double its cost.
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

/** Larger than any step back of the clock, so that the generator never resets and ids never decrease. */
const maxRollbackMs = 2 ** 47;

/** Creates a UUIDv7 that is higher than all before. */
export function newRequestId(): string {
  return textOf(ids.generateOrResetCore(clock.now(), maxRollbackMs).bytes);
}

const digits = Buffer.from('0123456789abcdef');
const text = Buffer.alloc(36, '-');
const positions = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/** The UUID as text. The library joins 36 strings instead, which costs twice as much and 1 KB of garbage. */
function textOf(bytes: Readonly<Uint8Array>): string {
  for (let i = 0; i < 16; i++) {
    const [byte, position] = [bytes[i] as number, positions[i] as number];
    text[position] = digits[byte >> 4] as number;
    text[position + 1] = digits[byte & 15] as number;
  }
  return text.toString('latin1');
}

const incomingId = Symbol('incoming request id');
type WithIncomingId = FastifyRequest & { [incomingId]?: string };

/** The format of an accepted `x-request-id`: long enough for trace ids of all vendors. */
const acceptable = /^[\w.:+/=@-]{1,128}$/;

/** The `x-request-id` that a trusted proxy sent with a request. */
export function incomingRequestIdOf(request: FastifyRequest): string | undefined {
  return (request as WithIncomingId)[incomingId];
}

export interface RequestIdOptions {
  /** Whether a peer is a proxy whose `x-request-id` is kept. */
  isTrusted(address: string): boolean;
}

/** Sets the response header `x-request-id`, the id of the request in the log and in `request_logs`. */
export default fp<RequestIdOptions>(
  async (app, { isTrusted }) => {
    app.addHook('onRequest', (request, reply, done) => {
      addRequestId(reply);
      const incoming = request.headers['x-request-id'];
      if (incoming !== undefined) keepIncoming(request, String(incoming));
      done();
    });

    function keepIncoming(request: FastifyRequest, incoming: string) {
      if (!acceptable.test(incoming) || !isTrusted(request.raw.socket.remoteAddress ?? '')) return;
      (request as WithIncomingId)[incomingId] = incoming;
      request.log = request.log.child({ incomingRequestId: incoming });
    }
  },
  { name: 'request-id' },
);

/** Used also for responses that are sent before any hook runs. */
export function addRequestId(reply: FastifyReply) {
  const { id } = reply.request;
  if (reply.raw instanceof PreparedResponse) reply.raw.setRequestId(id);
  else if (reply.sent) reply.raw.setHeader('x-request-id', id);
  else reply.header('x-request-id', id);
}
