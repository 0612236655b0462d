import type { FastifyRequest } from 'fastify';
import type { KeyCheck } from '../api-keys/key-check.js';
import type { QuotaCharge } from '../limits/quota-counter.js';
import { traceIdOf } from '../trace-context.js';

/** One logged request. */
export interface RequestRecord {
  /** A UUIDv7 with the time of arrival. */
  id: string;
  method: string;
  path: string;
  /** The template of the path, such as `/v1/api-keys/:id`; empty where no route matched. */
  route: string;
  statusCode: number;
  /** Not rounded; the row has whole milliseconds. */
  durationMs: number;
  ip: string;
  userAgent: string | null;
  /** The key of the request, if it exists. */
  apiKeyId: string | null;
  /** The owner of that key. */
  ownerId: string | null;
  /** The result of the check of that key. */
  outcome: string | null;
  /** The key that the request verified. */
  verification: RecordedVerification | null;
  /** What the checks of both keys have used of quotas. */
  charges: readonly QuotaCharge[];
  /** The id of the trace. */
  traceId: string | null;
}

/** The check of a key that is not the request's own. */
export interface RecordedVerification {
  /** Null when there is no such key. */
  apiKeyId: string | null;
  ownerId: string | null;
  outcome: string;
  /** What the caller knows of its client, stored as JSON. */
  client: VerifiedClient;
}

/** The request that a verified key came with, as the caller of the verification describes it. */
export interface VerifiedClient {
  ip?: string | undefined;
  method?: string | undefined;
  path?: string | undefined;
  tags?: string[] | undefined;
}

/** The status of a request whose client disconnected before the response, as in nginx. */
export const clientClosedRequest = 499;

/** The path of a request, without its query string. */
export function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

/** The longest text that is logged, in characters. An index entry has up to 2,700 bytes. */
const maxTextLength = 1_024;

/** Values to log in place of the request's own. */
export interface LoggedFields {
  method?: string;
  /** Path, optionally with a query string. */
  url?: string;
  /** One of a few values: each route has separate statistics. */
  route?: string;
  verification?: RecordedVerification;
  /** The id of the trace. */
  traceId?: string;
  /** What a verification has used of quotas, in addition to the check of the request's own key. */
  charges?: readonly QuotaCharge[];
}

const loggedFields = Symbol('logged fields');
type OverriddenRequest = FastifyRequest & { [loggedFields]?: LoggedFields };

export function overrideLogged(request: FastifyRequest, overrides: LoggedFields): void {
  const overridden = request as OverriddenRequest;
  const earlier = overridden[loggedFields];
  const charges = [...(earlier?.charges ?? []), ...(overrides.charges ?? [])];
  overridden[loggedFields] = { ...earlier, ...overrides, charges };
}

/** Creates the record of a request, with texts cut to the longest that is logged. */
export function recordOf(
  request: FastifyRequest,
  path: string,
  statusCode: number,
  durationMs: number,
  keyCheck: KeyCheck | undefined,
): RequestRecord {
  const overrides = (request as OverriddenRequest)[loggedFields];
  const url = overrides?.url ?? request.url;
  const loggedPath = overrides?.url === undefined ? path : pathOf(url);
  const { 'user-agent': userAgent } = request.headers;
  return {
    id: request.id,
    method: overrides?.method ?? request.method,
    path: boundedPath(url, loggedPath),
    route: overrides?.route ?? request.routeOptions.url ?? '',
    statusCode,
    durationMs,
    ip: boundedIp(request),
    userAgent: userAgent === undefined ? null : bounded(userAgent),
    apiKeyId: keyCheck?.key.id ?? null,
    ownerId: keyCheck?.key.ownerId ?? null,
    outcome: keyCheck?.outcome ?? null,
    verification: overrides?.verification ?? null,
    charges: chargesOf(keyCheck?.charges, overrides?.charges),
    traceId: overrides?.traceId ?? traceIdOf(request),
  };
}

const noCharges: readonly QuotaCharge[] = [];

function chargesOf(own: readonly QuotaCharge[] = noCharges, verified: readonly QuotaCharge[] = noCharges) {
  return verified.length === 0 ? own : [...own, ...verified];
}

/** The columns of a record that are about the key that was checked: the verified one, or that of the request. */
export function checkedKeyOf({ ownerId, outcome, verification }: RequestRecord) {
  return {
    outcome: verification?.outcome ?? outcome,
    ownerId: verification ? verification.ownerId : ownerId,
    verifiedApiKeyId: verification?.apiKeyId ?? null,
    verification: verification?.client ?? null,
  };
}

/** The text, or a copy of its beginning. */
export function bounded(text: string): string {
  return text.length > maxTextLength ? cut(text) : text;
}

/** The path, copied where it is a part of a long URL. */
export function boundedPath(url: string, path: string): string {
  return url.length > maxTextLength ? cut(path) : path;
}

/** The address of the client, copied where it can be a part of a long `X-Forwarded-For`. */
export function boundedIp({ headers, ip = '' }: FastifyRequest): string {
  const { 'x-forwarded-for': forwardedFor = '' } = headers;
  return Math.max(forwardedFor.length, ip.length) > maxTextLength ? cut(ip) : ip;
}

/** Copies the text: a substring would keep the whole string in memory while the record is buffered. */
function cut(text: string): string {
  return Buffer.from(text.slice(0, maxTextLength), 'utf16le').toString('utf16le');
}
