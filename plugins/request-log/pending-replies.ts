import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';
import { clientClosedRequest } from './record.js';

const pending = Symbol('pending replies');
const rejectedStatus = Symbol('the status of a rejected request');
const brokenStatus = Symbol('the status of a response that this service aborted');
type TrackedSocket = Socket & { [pending]?: Set<FastifyReply>; [rejectedStatus]?: number };
type TrackedReply = FastifyReply & { [brokenStatus]?: number };

/**
 * Tracks a reply until it is sent. `onResponse` does not run when the client disconnects, and `onRequestAbort` runs only while the
 * request body is unread. The socket's `close` event covers both, and pipelined requests.
 *
 * @param onLost called for each pending reply when the connection closes, with the status to log
 */
export function trackReply(reply: FastifyReply, onLost: (reply: FastifyReply, statusCode: number) => void): void {
  const socket = reply.request.raw.socket as TrackedSocket;
  let replies = socket[pending];
  if (!replies) {
    replies = new Set();
    socket[pending] = replies;
    // Reading the address while the socket is open keeps it available after the socket has closed.
    void socket.remoteAddress;
    socket.once('close', () => {
      for (const lost of replies as Set<TrackedReply>)
        onLost(lost, lost[brokenStatus] ?? socket[rejectedStatus] ?? clientClosedRequest);
    });
  }
  replies.add(reply);
}

/** Records the status of a response that this service aborted after it had begun. */
export function markBroken(reply: FastifyReply, statusCode: number): void {
  (reply as TrackedReply)[brokenStatus] = statusCode;
}

/** Ends the tracking of a reply. @returns whether it was pending */
export function markSent(reply: FastifyReply): boolean {
  return (reply.request.raw.socket as TrackedSocket)[pending]?.delete(reply) ?? false;
}

/**
 * Records the status with which the connection is closed while a request is arriving on it.
 *
 * @returns the id of the request; undefined when none or several are pending
 */
export function markRejected(socket: Socket, statusCode: number): string | undefined {
  const tracked: TrackedSocket = socket;
  const [reply, ...others] = tracked[pending] ?? [];
  if (!reply || others.length > 0) return undefined;
  tracked[rejectedStatus] = statusCode;
  return reply.request.id;
}
