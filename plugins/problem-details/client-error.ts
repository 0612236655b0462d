import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { newRequestId } from '../request-id.js';
import { refuseArriving } from '../request-log/unanswered.js';
import { problemOf } from './index.js';
import { problemMediaType } from './schema.js';

/** What Node.js reports of bytes that are not a request. */
interface ConnectionError extends Error {
  code?: string;
}

const answers: Record<string, { status: number; code: string; detail: string }> = {
  HPE_HEADER_OVERFLOW: { status: 431, code: 'HEADERS_TOO_LARGE', detail: 'the header fields are too large' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, code: 'REQUEST_TIMEOUT', detail: 'the request did not arrive in time' },
};
const malformed = { status: 400, code: 'MALFORMED_REQUEST', detail: 'this is not an HTTP request' };

/** Answers what the HTTP parser refuses, before there is a whole request, and ends the connection. */
export function refuseConnection(error: ConnectionError, socket: Socket) {
  // Its name for the answer that is under way on this connection, if any; one that has begun cannot be begun anew.
  const { _httpMessage: answering } = socket as Socket & { _httpMessage?: ServerResponse };
  if (error.code === 'ECONNRESET' || !socket.writable || answering?.headersSent) return void socket.destroy();
  const answer = answers[error.code ?? ''] ?? malformed;
  const requestId = refuseArriving(socket, answer.status) ?? newRequestId();
  const body = JSON.stringify(problemOf(answer, requestId));
  const head = [
    `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}`,
    `Content-Type: ${problemMediaType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
