import { METHODS } from 'node:http';
import createError from '@fastify/error';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { keyDenied } from '../plugins/api-keys/errors.js';
import type { AuthenticatedKey } from '../plugins/api-keys/index.js';
import { scopePattern } from '../plugins/api-keys/scopes.js';
import { keySecurity } from '../plugins/openapi.js';
import { logFieldsOf } from '../plugins/problem-details/failed-requests.js';
import { sendProblem } from '../plugins/problem-details/index.js';
import { problems } from '../plugins/problem-details/schema.js';
import { Cost } from './limit-fields.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** False: disables CORS for the route. */
    cors?: false;
  }
}

export interface ForwardAuthOptions {
  /** Whether a peer is a proxy whose headers about the original request are trusted. */
  isTrusted(address: string): boolean;
}

const routePattern = '^/[!-~]{0,199}$';
const isRoute = new RegExp(routePattern);
/** Limits the routes that a proxy can create: each has its own statistics and metrics. */
const maxRoutes = 200;

const AuthQuery = Type.Object({
  scope: Type.Optional(
    Type.String({
      pattern: scopePattern,
      description: 'The required scope',
      examples: ['orders:read'],
    }),
  ),
  cost: Type.Optional(Cost),
  allowed: Type.Optional(
    Type.String({ pattern: '^200$', description: '200: respond with 200 in place of 204', examples: ['200'] }),
  ),
  route: Type.Optional(
    Type.String({
      pattern: routePattern,
      description:
        'The `route` of the request in the request log and statistics, from a proxy that TRUST_PROXY covers. Each replica accepts 200 different ones',
      examples: ['/orders/:id'],
    }),
  ),
  rateLimited: Type.Optional(
    Type.String({
      pattern: '^429$',
      description:
        '429: respond with 429 when a limit or quota is exceeded: of the key (default 403), or of unknown keys from an address (default 401)',
      examples: ['429'],
    }),
  ),
});
const denialHeader = 'x-api-key-denial';

const Allowed = Type.Null({
  description: 'The key is valid',
  headers: {
    'x-api-key-id': Type.String({ description: 'The id of the key', example: '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07' }),
    'x-api-key-name': Type.String({
      description: 'The name of the key; characters other than ASCII, and %, are percent-encoded',
      example: 'ci',
    }),
    'x-api-key-scopes': Type.String({
      description: 'The scopes of the key, separated by spaces',
      example: 'orders:read',
    }),
    'x-api-key-owner': Type.String({
      description: 'The owner of the key, or empty; characters other than ASCII, and %, are percent-encoded',
      example: 'customer-4711',
    }),
  },
});

/** Problems with their code in a header too: nginx cannot read the body. */
const denials = Object.fromEntries(
  Object.entries(problems(401, 403, 429)).map(([status, response]) => [
    status,
    {
      ...response,
      headers: {
        [denialHeader]: Type.String({ description: 'The `code` of the problem', example: 'INSUFFICIENT_SCOPE' }),
      },
    },
  ]),
);

/** The documented methods. HEAD works too, but is left out of the documentation. */
const documented = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];

const InvalidQuery = createError('VALIDATION_FAILED', 'the query is invalid', 403);
const CheckFailed = createError('CHECK_FAILED', 'this API key could not be checked', 403);

/**
 * Checks a request for a reverse proxy. Responds with 204, 401 or 403 by default, because nginx answers 500 to any other status;
 * `allowed=200` and `rateLimited=429` opt in to others. A key that cannot be checked is denied.
 *
 * @see https://nginx.org/en/docs/http/ngx_http_auth_request_module.html
 */
export const forwardAuthRoutes: FastifyPluginAsyncTypebox<ForwardAuthOptions> = async (app, { isTrusted }) => {
  const route = {
    url: '/v1/auth',
    // Responds before the body is read: the body and its errors belong to the original request.
    onRequest: [logOriginalRequest, app.requireApiKey(scopeOf, { cost: costOf }), logOriginalRoute, allow],
    handler: unreachable,
    errorHandler(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
      if (error.code === 'INSUFFICIENT_SCOPE') void logOriginalRoute(request);
      return deny(error, request, reply);
    },
    exposeHeadRoute: false,
    // Preflights that a proxy checks here are for the upstream, so CORS headers of this service would be wrong.
    config: { cors: false as const },
  };
  const schema = {
    tags: ['keys'],
    summary: 'Check a request for a reverse proxy',
    description:
      'Accepts all methods. The request log has the method and path of X-Original-Method and X-Original-URI, or X-Forwarded-Method and X-Forwarded-Uri, when TRUST_PROXY covers the caller.',
    security: keySecurity,
    querystring: AuthQuery,
    response: { 200: Allowed, 204: Allowed, ...denials },
  };
  // A proxy can use the method of the original request.
  const methods = METHODS.filter((method) => method !== 'CONNECT');
  for (const method of methods.filter((method) => !app.supportedMethods.includes(method)))
    app.addHttpMethod(method, { hasBody: true });
  for (const method of documented)
    app.route({ ...route, method, schema: { ...schema, operationId: operationIdOf(method) } });
  const others = methods.filter((method) => !documented.includes(method));
  app.route({ ...route, method: others, schema: { querystring: AuthQuery, hide: true } });

  const routes = new Set<string>();

  /** Logs the method and path of the original request. */
  async function logOriginalRequest(request: FastifyRequest) {
    if (!isFromProxy(request)) return;
    const { headers } = request;
    const method = headers['x-original-method'] ?? headers['x-forwarded-method'];
    const url = headers['x-original-uri'] ?? headers['x-forwarded-uri'];
    app.requestLog.overrideLogged(request, {
      ...(METHODS.includes(String(method)) && { method: String(method) }),
      ...(String(url).startsWith('/') && { url: String(url) }),
    });
  }

  /** Logs the route that the proxy names, of a request with a valid key. */
  async function logOriginalRoute(request: FastifyRequest) {
    const { route } = request.query as { route?: unknown };
    if (typeof route !== 'string' || !isRoute.test(route) || !isFromProxy(request)) return;
    if (routes.size < maxRoutes) routes.add(route);
    if (routes.has(route)) app.requestLog.overrideLogged(request, { route });
  }

  function isFromProxy(request: FastifyRequest): boolean {
    return isTrusted(request.raw.socket.remoteAddress ?? '');
  }
};

const isScope = new RegExp(scopePattern);

/** The required scope. An invalid one is reported by `allow`, after the check of the key. */
function scopeOf({ query }: FastifyRequest): string | undefined {
  const { scope } = query as { scope?: unknown };
  return typeof scope === 'string' && isScope.test(scope) ? scope : undefined;
}

/** An invalid query costs nothing: `allow` reports it. */
function costOf(request: FastifyRequest): number {
  const isValidQuery = request.getValidationFunction('querystring');
  if (isValidQuery?.(request.query) === false) return 0;
  // The validator has converted it.
  return (request.query as typeof AuthQuery.static).cost ?? 1;
}

async function allow(request: FastifyRequest, reply: FastifyReply) {
  const { apiKey, query } = request;
  const isValidQuery = request.getValidationFunction('querystring');
  if (isValidQuery?.(query) === false)
    throw Object.assign(new InvalidQuery(), {
      validation: isValidQuery.errors,
      validationContext: 'querystring',
    });
  const { allowed } = query as typeof AuthQuery.static;
  return reply
    .code(allowed === '200' ? 200 : 204)
    .headers(identityOf(apiKey))
    .send();
}

function operationIdOf(method: string): string {
  return method === 'GET' ? 'authorize' : `authorize${method.charAt(0)}${method.slice(1).toLowerCase()}`;
}

function unreachable() {
  throw new Error('the onRequest hooks have already responded');
}

function identityOf({ id, name, scopes, ownerId }: AuthenticatedKey) {
  return {
    'x-api-key-id': id,
    'x-api-key-name': asciiOf(name),
    'x-api-key-scopes': scopes.join(' '),
    // Also without an owner: proxies overwrite the header of the client only with one of the response.
    'x-api-key-owner': asciiOf(ownerId ?? ''),
  };
}

/** Percent-encodes what a header cannot have, and %, so that it can be decoded. */
function asciiOf(text: string): string {
  return text.replace(/[^ -~]+|%|^ | $/gu, encodeURIComponent);
}

function deny(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  const denial = denialOf(error, request);
  return sendProblem(denial, request, reply.header(denialHeader, denial.code));
}

function denialOf(error: FastifyError, request: FastifyRequest): FastifyError {
  const { statusCode = 500, code } = error;
  if (statusCode === 401 || statusCode === 403) return error;
  if (statusCode === 429 && (request.query as typeof AuthQuery.static).rateLimited === '429') return error;
  if (code === 'TOO_MANY_BAD_KEYS') return keyDenied('NOT_FOUND');
  if (statusCode < 500 || statusCode === 503) return Object.assign(error, { statusCode: 403 });
  request.log.error({ err: error, ...logFieldsOf(request) }, 'a key could not be checked');
  return new CheckFailed();
}
