import type { Problem } from '../../../plugins/problem-details/schema.js';
import { currentKey, isSessionOf, signOut } from './session.js';

/** What an answer is once it has been JSON: moments are text. */
export type Wire<T> = T extends Date
  ? string
  : T extends (infer Element)[]
    ? Wire<Element>[]
    : T extends object
      ? { [Field in keyof T]: Wire<T[Field]> }
      : T;

export type Query = Record<string, string | number | boolean | string[] | undefined>;

/** A list, as the API gives it. */
export interface Page<Row> {
  data: Row[];
  /** Of the next page; null: there is none. */
  nextCursor: string | null;
}

interface Options {
  query?: Query;
  body?: object;
  signal?: AbortSignal | undefined;
  /** Instead of the session's. */
  key?: string;
  /** Statuses that are answers rather than errors where they come with JSON, beside 2xx. */
  accept?: number[];
}

/** The service refused, in its own words. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(readonly problem: Pick<Problem, 'status' | 'title' | 'detail' | 'code' | 'errors' | 'requestId'>) {
    super(problem.detail);
  }
}

/** No answer came: the service, or the network, is away. */
export class OfflineError extends Error {
  override readonly name = 'OfflineError';

  constructor() {
    super('The service cannot be reached.');
  }
}

/**
 * Asks the API.
 *
 * @param path such as `/v1/me`, seen from the directory that the page is in
 * @returns the parsed body, or null where there is none
 * @throws ApiError, OfflineError, or an AbortError when `signal` says so; a key that is no longer good ends the session
 */
export async function ask<Body>(method: string, path: string, options: Options = {}): Promise<Wire<Body>> {
  const response = await send(method, path, options);
  const text = await textOf(response);
  return JSON.parse(text === '' ? 'null' : text);
}

export const get = <Body>(path: string, query?: Query, signal?: AbortSignal) =>
  ask<Body>('GET', path, { ...(query && { query }), signal });

/** As `ask`, for what is read piece by piece. */
export async function send(method: string, path: string, options: Options = {}): Promise<Response> {
  const { query, body, signal, key = currentKey(), accept = [] } = options;
  const headers = {
    ...(key && { authorization: `Bearer ${key}` }),
    ...(body && { 'content-type': 'application/json' }),
  };
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }), ...(signal && { signal }) };
  let response: Response;
  try {
    response = await fetch(urlOf(path, query), { ...init, cache: 'no-store', credentials: 'omit' });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new OfflineError();
  }
  if (response.ok || (accept.includes(response.status) && isJson(response))) return response;
  const failure = await failureOf(response);
  if (options.key === undefined && isSessionOf(key)) endSessionIf(failure);
  throw failure;
}

/** What a proxy says in the service's place is a page, or a word. */
function isJson(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('application/json') ?? false;
}

function urlOf(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const each = given.flatMap(([name, value]) => [value].flat().map((one) => [name, String(one)]));
  const search = new URLSearchParams(each).toString();
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

/** A proxy in between answers with pages of its own. */
async function failureOf(response: Response): Promise<ApiError> {
  const { status, statusText } = response;
  const title = statusText || `Status ${status}`;
  const bare = { status, title, code: '', detail: `The service answered with status ${status}.`, requestId: '' };
  const problem = await response.json().catch(() => ({}));
  return new ApiError({ ...bare, ...problem });
}

/** A 401 of somebody else, such as a proxy that guards `/metrics`, is not about the key. */
function endSessionIf({ problem: { status, code } }: ApiError) {
  if (status === 401 && code.startsWith('API_KEY_'))
    signOut('The key is no longer good. Sign in again to go on where you were.');
  if (status === 403 && code === 'INSUFFICIENT_SCOPE') signOut('The key is no longer an admin key.');
}
