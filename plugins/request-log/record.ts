import type { FastifyReply, FastifyRequest } from 'fastify';

/** One answered request, before it is a row. */
export interface RequestRecord {
  /** UUIDv7; its time is the request's arrival. */
  id: string;
  method: string;
  path: string;
  /** The template of the path, such as `/v1/api-keys/:id`; empty where no route matched. */
  route: string;
  statusCode: number;
  /** With fractions, of which the row keeps none. */
  durationMs: number;
  ip: string;
  userAgent: string | null;
  apiKeyId: string | null;
}

/** The status of a request whose client went away before the answer (nginx's number; HTTP has none). */
export const clientClosedRequest = 499;

/** The path of a request, without its query string. */
export function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

/** How much of a text is kept. An index entry holds 2,700 bytes, and a character of a URL becomes two at the most. */
const longestText = 1_024;

/** What a request is logged as, where that is not what it is. */
export interface LoggedAs {
  method?: string;
  /** Path, and perhaps query string. */
  url?: string;
}

const loggedAs = Symbol('logged as');
type NamedRequest = FastifyRequest & { [loggedAs]?: LoggedAs };

export function nameAs(request: FastifyRequest, name: LoggedAs): void {
  (request as NamedRequest)[loggedAs] = name;
}

/** Takes what a row needs from a request that has ended, and no more than a row may hold. */
export function recordOf(
  request: FastifyRequest,
  reply: FastifyReply,
  path: string,
  statusCode: number,
  apiKeyId: string | null,
): RequestRecord {
  const name = (request as NamedRequest)[loggedAs];
  const url = name?.url ?? request.url;
  const shown = name?.url === undefined ? path : pathOf(url);
  const { 'x-forwarded-for': forwardedFor = '' } = request.headers;
  const { ip = '' } = request;
  return {
    id: request.id,
    method: name?.method ?? request.method,
    path: url.length > longestText ? cut(shown) : shown,
    route: request.routeOptions.url ?? '',
    statusCode,
    durationMs: reply.elapsedTime,
    // Perhaps a part of that field.
    ip: Math.max(forwardedFor.length, ip.length) > longestText ? cut(ip) : ip,
    userAgent: bounded(request.headers['user-agent'] ?? null),
    apiKeyId,
  };
}

function bounded(text: string | null): string | null {
  return text !== null && text.length > longestText ? cut(text) : text;
}

/** Copied, because a part of a string keeps the whole in memory for as long as it waits. */
function cut(text: string): string {
  return Buffer.from(text.slice(0, longestText), 'utf16le').toString('utf16le');
}

/**
 * When the request of this id arrived: the first 48 bits of a UUIDv7.
 *
 * @returns milliseconds since 1970
 */
export function arrivalOf(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** The lowest id that a request arriving at `time` could have. */
export function firstIdAt(time: Date): string {
  const milliseconds = time.getTime().toString(16).padStart(12, '0');
  return `${milliseconds.slice(0, 8)}-${milliseconds.slice(8)}-7000-8000-000000000000`;
}
