import type { Problem } from '../plugins/problem-details/schema.js';
import { learnServerTime } from './server-clock.js';
import { currentKey, denialEndsSession, signOut } from './session.js';

/** The type of a response after JSON: dates are text. */
export type Wire<T> = T extends Date
  ? string
  : T extends (infer Element)[]
    ? Wire<Element>[]
    : T extends object
      ? { [Field in keyof T]: Wire<T[Field]> }
      : T;

export type Query = Record<string, string | number | boolean | string[] | undefined>;

/** A page of a list of the API. */
export interface Page<Row> {
  data: Row[];
  /** The cursor of the next page; null on the last one. */
  nextCursor: string | null;
}

interface Options {
  query?: Query;
  body?: object;
  signal?: AbortSignal | undefined;
  /** In place of the session's key. */
  key?: string;
  /** Statuses besides 2xx that are not errors when the body is JSON. */
  accept?: number[];
}

/** An error response of the service, with its message. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(readonly problem: Pick<Problem, 'status' | 'title' | 'detail' | 'code' | 'errors' | 'requestId'>) {
    super(withoutPatterns(problem.detail));
  }
}

/** The message of the service, without its regular expressions. */
function withoutPatterns(detail: string): string {
  return detail.replace(/(must be integer, or )?must match pattern ".*?"/g, 'has the wrong form');
}

/** No response arrived: the service or the network is down. */
export class OfflineError extends Error {
  override readonly name = 'OfflineError';

  constructor() {
    super('The service cannot be reached.');
  }
}

/**
 * Sends a request to the API.
 *
 * @param path such as `/v1/me`, relative to the directory of the page
 * @returns the parsed body; null without a body
 * @throws ApiError, OfflineError, or an AbortError by `signal`; a key that is no longer valid ends the session
 */
export async function requestJson<Body>(method: string, path: string, options: Options = {}): Promise<Wire<Body>> {
  const response = await send(method, path, options);
  const text = await textOf(response);
  return JSON.parse(text === '' ? 'null' : text);
}

export const get = <Body>(path: string, query?: Query, signal?: AbortSignal) =>
  requestJson<Body>('GET', path, { ...(query && { query }), signal });

/** As `requestJson`, for a body that is read in chunks. */
export async function send(method: string, path: string, options: Options = {}): Promise<Response> {
  const { query, body, signal, key = currentKey(), accept = [] } = options;
  const headers = {
    ...(key && { authorization: `Bearer ${key}` }),
    ...(body && { 'content-type': 'application/json' }),
  };
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }), ...(signal && { signal }) };
  const sentAt = Date.now();
  let response: Response;
  try {
    response = await fetch(urlOf(path, query), { ...init, cache: 'no-store', credentials: 'omit' });
    learnServerTime(response.headers.get('date'), sentAt, Date.now());
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new OfflineError();
  }
  if (response.ok || (accept.includes(response.status) && isJson(response))) return response;
  const failure = await failureOf(response);
  if (options.key === undefined && denialEndsSession(key)) endSessionIf(failure);
  throw failure;
}

/** The response of a proxy in place of the service is HTML or text. */
function isJson(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('application/json') ?? false;
}

function urlOf(path: string, query: Query = {}): string {
  const defined = Object.entries(query).filter(([, value]) => value !== undefined);
  const pairs = defined.flatMap(([name, value]) => [value].flat().map((one) => [name, String(one)]));
  const search = new URLSearchParams(pairs).toString();
  return `.${path}${search && `?${search}`}`;
}

async function textOf(response: Response): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    if (error instanceof DOMException) throw error;
    throw new OfflineError();
  }
}

/** A proxy can respond with a page of its own, so every field has a default. */
async function failureOf(response: Response): Promise<ApiError> {
  const { status, statusText } = response;
  const title = statusText || `Status ${status}`;
  const bare = { status, title, code: '', detail: `The service answered with status ${status}.`, requestId: '' };
  const problem = await response.json().catch(() => ({}));
  return new ApiError({ ...bare, ...problem });
}

/** A 401 of a proxy, such as one that protects `/metrics`, is not about the key. */
function endSessionIf({ problem: { status, code } }: ApiError) {
  if (status === 401 && code.startsWith('API_KEY_')) signOut('The key is no longer valid. Sign in again to continue.');
  if (status === 403 && code === 'INSUFFICIENT_SCOPE') signOut('The key is no longer an admin key.');
}
