import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fp from 'fastify-plugin';

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
        },
        components: {
          securitySchemes: {
            bearer: { type: 'http', scheme: 'bearer' },
            apiKeyHeader: { type: 'apiKey', in: 'header', name: 'x-api-key' },
          },
        },
      },
      refResolver: { buildLocalReference: (json, _baseUri, _fragment, i) => String(json.$id ?? `def-${i}`) },
    });
    await app.register(swaggerUi, { routePrefix: '/documentation', staticCSP: pagePolicy });
  },
  { name: 'openapi' },
);
