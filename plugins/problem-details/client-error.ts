import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { corsHeadersFor } from '../cors.js';
import { newRequestId } from '../request-id.js';
import { markRejected } from '../request-log/pending-replies.js';
import { problemOf } from './index.js';
import { problemMediaType } from './schema.js';

/** Node.js' error for a request that its HTTP parser rejects. */
interface ConnectionError extends Error {
  code?: string;
  /** The bytes that had arrived. */
  rawPacket?: unknown;
}

const knownErrors: Record<string, { status: number; code: string; detail: string }> = {
  HPE_HEADER_OVERFLOW: { status: 431, code: 'HEADERS_TOO_LARGE', detail: 'the header fields are too large' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, code: 'REQUEST_TIMEOUT', detail: 'the request did not arrive in time' },
};
const malformed = { status: 400, code: 'MALFORMED_REQUEST', detail: 'this is not an HTTP request' };

/**
 * Responds to a request that the HTTP parser rejects, and closes the connection.
 *
 * @param corsOrigins the origins whose pages may read the response
 */
export function rejectConnection(corsOrigins: readonly string[], error: ConnectionError, socket: Socket) {
  // A private field of Node.js: the response that is being sent on this connection. After it has begun, no other can be sent.
  const { _httpMessage: pendingResponse } = socket as Socket & { _httpMessage?: ServerResponse };
  if (error.code === 'ECONNRESET' || !socket.writable || pendingResponse?.headersSent) return void socket.destroy();
  const answer = knownErrors[error.code ?? ''] ?? malformed;
  const requestId = markRejected(socket, answer.status) ?? newRequestId();
  const body = JSON.stringify(problemOf(answer, requestId));
  const head = [
    `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}`,
    `Content-Type: ${problemMediaType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    'Connection: close',
    ...Object.entries(corsHeadersFor(corsOrigins, originOf(error.rawPacket))).map(
      ([name, value]) => `${name}: ${value}`,
    ),
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

/** The Origin header of a request that was not parsed to its end. */
function originOf(packet: unknown): string | undefined {
  if (!Buffer.isBuffer(packet)) return undefined;
  return /\r\norigin:([^\r\n]{1,300})\r\n/i.exec(packet.toString('latin1'))?.[1]?.trim();
}
