import { isDeepStrictEqual } from 'node:util';
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fp from 'fastify-plugin';
import { problemMediaType } from './problem-details/schema.js';

export interface OpenApiOptions {
  /** The service's version. */
  version: string;
}

/** A route that needs a key says so in its schema: `security: keySecurity`. */
export const keySecurity: readonly Record<string, readonly string[]>[] = [{ bearer: [] }, { apiKeyHeader: [] }];

// Swagger UI sets styles inline. Unlike Helmet's policy this one does not ask for HTTPS, which a page that came by plain
// HTTP from another host than localhost could not be loaded by.
const pagePolicy = {
  'default-src': "'self'",
  'base-uri': "'self'",
  'frame-ancestors': "'self'",
  'img-src': "'self' data:",
  'object-src': "'none'",
  'style-src': "'self' 'unsafe-inline'",
};

const seconds = { type: 'integer', minimum: 0 } as const;

/** Header fields that no route sets by itself. Those that are not required are there when there is something to say. */
const headers = {
  RequestId: {
    description: 'The id of the request: in the request log, in the log of the service and in a problem',
    required: true,
    schema: { type: 'string', format: 'uuid' },
    example: '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07',
  },
  Challenge: {
    description: 'That a key is needed; names an error only where one was presented',
    required: true,
    schema: { type: 'string' },
    example: 'Bearer realm="api", error="invalid_token"',
  },
  ScopeChallenge: {
    description: 'Which scope the key lacks',
    schema: { type: 'string' },
    example: 'Bearer realm="api", error="insufficient_scope", scope="admin"',
  },
  RetryAfter: { description: 'Seconds to wait', required: true, schema: seconds, example: 1 },
  RetryAfterForProxies: {
    description: 'Seconds to wait, where /v1/auth refuses a key over its limit',
    schema: seconds,
  },
  RateLimitLimit: { description: 'Requests a minute, for a key with a limit', schema: seconds, example: 60 },
  RateLimitRemaining: { description: 'How many of them are left', schema: seconds, example: 59 },
  RateLimitReset: { description: 'Seconds until it begins anew', schema: seconds, example: 42 },
} as const;

const refTo = (name: keyof typeof headers) => ({ $ref: `#/components/headers/${name}` });
const standing = {
  'ratelimit-limit': refTo('RateLimitLimit'),
  'ratelimit-remaining': refTo('RateLimitRemaining'),
  'ratelimit-reset': refTo('RateLimitReset'),
};
const problemHeaders: Record<string, object> = {
  401: { 'www-authenticate': refTo('Challenge') },
  403: { 'www-authenticate': refTo('ScopeChallenge'), 'retry-after': refTo('RetryAfterForProxies'), ...standing },
  429: { 'retry-after': refTo('RetryAfter'), ...standing },
  503: { 'retry-after': refTo('RetryAfter'), ...standing },
};

/** OpenAPI 3 at `/documentation/json`, made from the routes' schemas, and a page to read it at `/documentation`. */
export default fp<OpenApiOptions>(
  async (app, { version }) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.0.3',
        info: {
          title: 'musicez',
          version,
          description:
            'API keys, a request log and probes, in front of your routes. What is not HTTP is refused before it is any of these, with a problem and the end of the connection: 400, 408 or 431. An instance that has more to do than it can answers any route but probes and metrics with a 503 and Retry-After.',
          license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
        },
        servers: [{ url: '/', description: 'The instance that this document is from' }],
        tags: [
          { name: 'service', description: 'What it is, and how it is' },
          { name: 'keys', description: 'Who may do what' },
          { name: 'request log', description: 'What was asked, by whom, and how it went' },
        ],
        components: {
          headers,
          securitySchemes: {
            bearer: { type: 'http', scheme: 'bearer', description: 'The key, as in `Authorization: Bearer KEY`' },
            apiKeyHeader: {
              type: 'apiKey',
              in: 'header',
              name: 'x-api-key',
              description: 'The same key, as in `X-API-Key: KEY`; either will do',
            },
          },
        },
      },
      refResolver: { buildLocalReference: (json, _baseUri, _fragment, i) => String(json.$id ?? `def-${i}`) },
      // A route that asks for no key says so, rather than nothing.
      transform: ({ schema, url }) => ({ schema: { security: [], ...schema }, url }),
      transformObject: (made) => completed((made as Extract<typeof made, { openapiObject: unknown }>).openapiObject),
    });
    await app.register(swaggerUi, {
      routePrefix: '/documentation',
      staticCSP: pagePolicy,
      // A key that was tried out is forgotten with the page.
      uiConfig: { persistAuthorization: false, displayRequestDuration: true },
    });
  },
  { name: 'openapi' },
);

type Document = Extract<
  Parameters<NonNullable<FastifyDynamicSwaggerOptions['transformObject']>>[0],
  { openapiObject: unknown }
>['openapiObject'];

interface Response {
  content?: Record<string, unknown>;
  headers?: Record<string, unknown>;
}

/** Adds what no route says of its answers, as it is the same for all: header fields, and each problem once for all routes. */
function completed(document: Document): Document {
  const problems: Record<string, Response> = {};
  for (const { responses, security } of operationsOf(document)) {
    for (const [status, response] of Object.entries(responses)) {
      const isProblem = response.content !== undefined && problemMediaType in response.content;
      const common = isProblem ? (problemHeaders[status] ?? standing) : security.length > 0 && standing;
      response.headers = { 'x-request-id': refTo('RequestId'), ...common, ...response.headers };
      if (!isProblem) continue;
      const name = `Problem${status}`;
      problems[name] ??= response;
      if (isDeepStrictEqual(problems[name], response))
        responses[status] = { $ref: `#/components/responses/${name}` } as Response;
    }
  }
  return { ...document, components: { ...document.components, responses: problems } } as Document;
}

function operationsOf({ paths = {} }: Document) {
  return Object.values(paths).flatMap((path) => Object.values(path ?? {})) as unknown as {
    responses: Record<string, Response>;
    security: unknown[];
  }[];
}
