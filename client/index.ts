// The entry `musicez/client`: a typed client of the service's API, for other services.
import createFetchClient, { type Client as FetchClient } from 'openapi-fetch';
import type { paths } from './schema.js';

export type { components, operations, paths } from './schema.js';

/** Has a method for each HTTP method, such as `GET(path, options)`. They return `data` or `error`, and `response`. */
export type Client = FetchClient<paths>;

export interface ClientOptions {
  /** Where the service is, such as `http://musicez:3000`. */
  url: string;
  /** The key that is sent with each request. */
  key: string;
  /** Sends the requests, such as with a timeout; by default the global `fetch`. */
  fetch?: (request: Request) => Promise<Response>;
}

/**
 * Creates a client. Its paths, parameters and bodies have the types of the OpenAPI document of this version.
 *
 * @example const { data, error } = await client.POST('/v1/api-keys/verify', { body: { key } });
 */
export function createClient({ url, key, fetch }: ClientOptions): Client {
  return createFetchClient<paths>({
    baseUrl: url,
    headers: { authorization: `Bearer ${key}` },
    ...(fetch && { fetch }),
  });
}
