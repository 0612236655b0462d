import { isDeepStrictEqual } from 'node:util';
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fp from 'fastify-plugin';
import { problemMediaType } from './problem-details/schema.js';

export interface OpenApiOptions {
  /** The service's version. */
  version: string;
}

/** The `security` of the schema of a route that requires a key. */
export const keySecurity: readonly Record<string, readonly string[]>[] = [{ bearer: [] }, { apiKeyHeader: [] }];

// Allows inline styles, which Swagger UI uses. Does not upgrade to HTTPS as Helmet's policy does: that breaks the page on plain HTTP.
const pagePolicy = {
  'default-src': "'self'",
  'base-uri': "'self'",
  'frame-ancestors': "'self'",
  'img-src': "'self' data:",
  'object-src': "'none'",
  'style-src': "'self' 'unsafe-inline'",
};

const seconds = { type: 'integer', minimum: 0 } as const;

/** Headers that plugins set. */
const headers = {
  RequestId: {
    description: 'The id of the request in the request log, the log of the service, and problems',
    required: true,
    schema: { type: 'string', format: 'uuid' },
    example: '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07',
  },
  Challenge: {
    description: 'A key is required; has an error code when the request had one',
    required: true,
    schema: { type: 'string' },
    example: 'Bearer realm="api", error="invalid_token"',
  },
  ScopeChallenge: {
    description: 'The missing scope',
    schema: { type: 'string' },
    example: 'Bearer realm="api", error="insufficient_scope", scope="admin"',
  },
  RetryAfter: { description: 'Seconds to wait', required: true, schema: seconds, example: 1 },
  RetryAfterForProxies: {
    description: 'Seconds to wait, when /v1/auth denies a key over its limit',
    schema: seconds,
  },
  RateLimitPolicy: {
    description: 'Limits as a structured field: name, quota (q) and window in seconds (w)',
    schema: { type: 'string' },
    example: '"minute";q=60;w=60',
  },
  RateLimit: {
    description:
      'States of the limits as a structured field: name, remaining requests (r) and seconds until the window ends (t)',
    schema: { type: 'string' },
    example: '"minute";r=59;t=42',
  },
  RateLimitLimit: { description: 'The limit that is closest to being exceeded', schema: seconds, example: 60 },
  RateLimitRemaining: { description: 'Remaining requests in the window', schema: seconds, example: 59 },
  RateLimitReset: { description: 'Seconds until the window ends', schema: seconds, example: 42 },
} as const;

const refTo = (name: keyof typeof headers) => ({ $ref: `#/components/headers/${name}` });
const rateLimitFields = {
  'ratelimit-policy': refTo('RateLimitPolicy'),
  ratelimit: refTo('RateLimit'),
  'ratelimit-limit': refTo('RateLimitLimit'),
  'ratelimit-remaining': refTo('RateLimitRemaining'),
  'ratelimit-reset': refTo('RateLimitReset'),
};
const problemHeaders: Record<string, object> = {
  401: { 'www-authenticate': refTo('Challenge') },
  403: {
    'www-authenticate': refTo('ScopeChallenge'),
    'retry-after': refTo('RetryAfterForProxies'),
    ...rateLimitFields,
  },
  429: { 'retry-after': refTo('RetryAfter'), ...rateLimitFields },
  503: { 'retry-after': refTo('RetryAfter'), ...rateLimitFields },
};

/** OpenAPI 3 at `/documentation/json`, generated from the schemas of the routes, and Swagger UI at `/documentation`. */
export default fp<OpenApiOptions>(
  async (app, { version }) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.0.3',
        info: {
          title: 'musicez',
          version,
          description:
            'API keys, a request log and probes for your routes. Malformed HTTP is a 400, 408 or 431, and closes the connection. An overloaded instance answers 503 with Retry-After on all routes but probes and metrics.',
          license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
        },
        servers: [{ url: '/', description: 'This instance' }],
        tags: [
          { name: 'service', description: 'Information, probes and metrics' },
          { name: 'keys', description: 'API keys' },
          { name: 'usage', description: 'Checks of keys, by key and by owner' },
          { name: 'request log', description: 'Logged requests and statistics' },
        ],
        components: {
          headers,
          securitySchemes: {
            bearer: { type: 'http', scheme: 'bearer', description: 'The key, as in `Authorization: Bearer KEY`' },
            apiKeyHeader: {
              type: 'apiKey',
              in: 'header',
              name: 'x-api-key',
              description: 'The key, as in `X-API-Key: KEY`',
            },
          },
        },
      },
      refResolver: { buildLocalReference: (json, _baseUri, _fragment, i) => String(json.$id ?? `def-${i}`) },
      // OpenAPI: an empty list means that no key is required.
      transform: ({ schema, url }) => ({ schema: { security: [], ...schema }, url }),
      transformObject: (generated) =>
        completed((generated as Extract<typeof generated, { openapiObject: unknown }>).openapiObject),
    });
    await app.register(swaggerUi, {
      routePrefix: '/documentation',
      staticCSP: pagePolicy,
      // Keys that are entered in the page are not stored.
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

/** Adds the common parts to all operations: headers, and references to shared problem responses. */
function completed(document: Document): Document {
  const problems: Record<string, Response> = {};
  for (const { responses, security } of operationsOf(document)) {
    for (const [status, response] of Object.entries(responses)) {
      const isProblem = response.content !== undefined && problemMediaType in response.content;
      const common = isProblem ? (problemHeaders[status] ?? rateLimitFields) : security.length > 0 && rateLimitFields;
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
