import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';
import { clientClosedRequest } from './record.js';

const unanswered = Symbol('requests without an answer yet');
const refusal = Symbol('the status that was said in their place');
type TrackedSocket = Socket & { [unanswered]?: Set<FastifyReply>; [refusal]?: number };

/**
 * Remembers that a request has no answer yet: `onResponse` does not run for one whose client went away, and
 * `onRequestAbort` only while its body is unread. The socket knows of both, and of requests that are queued behind another.
 *
 * @param lose told of those that have none when the connection is gone, and the status that their client was told, if any
 */
export function expectAnswer(reply: FastifyReply, lose: (reply: FastifyReply, statusCode: number) => void): void {
  const socket = reply.request.raw.socket as TrackedSocket;
  let replies = socket[unanswered];
  if (!replies) {
    replies = new Set();
    socket[unanswered] = replies;
    // Asked once while it is open, the socket still knows the address after it has closed.
    void socket.remoteAddress;
    socket.once('close', () => {
      for (const lost of replies as Set<FastifyReply>) lose(lost, socket[refusal] ?? clientClosedRequest);
    });
  }
  replies.add(reply);
}

/** Notes that a request has its answer. @returns whether it is the first */
export function noteAnswer(reply: FastifyReply): boolean {
  return (reply.request.raw.socket as TrackedSocket)[unanswered]?.delete(reply) ?? false;
}

/**
 * Says that the connection ends with an answer to the request that is still arriving on it.
 *
 * @returns its id; undefined where there is no request, or are several
 */
export function refuseArriving(socket: Socket, statusCode: number): string | undefined {
  const tracked: TrackedSocket = socket;
  const [reply, ...others] = tracked[unanswered] ?? [];
  if (!reply || others.length > 0) return undefined;
  tracked[refusal] = statusCode;
  return reply.request.id;
}
