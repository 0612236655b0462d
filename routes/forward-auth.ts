import { METHODS } from 'node:http';
import createError from '@fastify/error';
import proxyAddr from '@fastify/proxy-addr';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { refusalOf } from '../plugins/api-keys/errors.js';
import type { CallingKey } from '../plugins/api-keys/index.js';
import { scopePattern } from '../plugins/api-keys/store.js';
import { allows } from '../plugins/api-keys/verdict.js';
import { keySecurity } from '../plugins/openapi.js';
import { sendProblem } from '../plugins/problem-details/index.js';
import { problems } from '../plugins/problem-details/schema.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** False: @fastify/cors leaves the route alone. */
    cors?: false;
  }
}

export interface ForwardAuthOptions {
  /** Whose word on the original request is taken. @see FastifyServerOptions.trustProxy */
  trustProxy: boolean | string[];
}

const Question = Type.Object({
  scope: Type.Optional(
    Type.String({
      pattern: scopePattern,
      description: 'What the key must be allowed to do',
      examples: ['orders:read'],
    }),
  ),
  allowed: Type.Optional(
    Type.String({ pattern: '^200$', description: '200: say so when it may pass, rather than 204', examples: ['200'] }),
  ),
  rateLimited: Type.Optional(
    Type.String({
      pattern: '^429$',
      description: '429: say so when the key is over its limit, rather than 403',
      examples: ['429'],
    }),
  ),
});
const Allowed = Type.Null({
  description: 'The key is good',
  headers: {
    'x-api-key-id': Type.String({ description: 'Its id', example: '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07' }),
    'x-api-key-name': Type.String({ description: 'Its name; all but ASCII, and %, percent-encoded', example: 'ci' }),
    'x-api-key-scopes': Type.String({ description: 'Its scopes, separated by spaces', example: 'orders:read' }),
  },
});

/** What a path item of OpenAPI 3.0 can tell of; a HEAD goes with each GET. */
const documented = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];

const BadQuestion = createError('VALIDATION_FAILED', 'the question is malformed', 403);
const CheckFailed = createError('CHECK_FAILED', 'this API key could not be checked', 403);

/**
 * Lets a reverse proxy ask whether a request may pass: 204, 401 or 403, and nothing else, since nginx takes any other
 * answer for its own failure. What cannot be checked may not pass.
 *
 * @see https://nginx.org/en/docs/http/ngx_http_auth_request_module.html
 */
export const forwardAuthRoutes: FastifyPluginAsyncTypebox<ForwardAuthOptions> = async (app, { trustProxy }) => {
  const isTrusted = Array.isArray(trustProxy) ? proxyAddr.compile(trustProxy) : () => trustProxy;

  const route = {
    url: '/v1/auth',
    // Answered before the body is read: it is the original request's, and so is what may be wrong with it.
    onRequest: [nameOriginal, app.requireApiKey(), allow],
    handler: unreachable,
    errorHandler: deny,
    exposeHeadRoute: false,
    // A browser's preflight that a proxy asks about is not for this service to answer.
    config: { cors: false as const },
  };
  const schema = {
    tags: ['keys'],
    summary: 'Whether a request may pass, for reverse proxies',
    description:
      'Any method will do. X-Original-Method and X-Original-URI, or X-Forwarded-Method and X-Forwarded-Uri, say what stands in the request log, where TRUST_PROXY covers the caller.',
    security: keySecurity,
    querystring: Question,
    response: { 200: Allowed, 204: Allowed, ...problems(401, 403, 429) },
  };
  // A proxy may ask by the method of the original request, whatever that is.
  const methods = METHODS.filter((method) => method !== 'CONNECT');
  for (const method of methods.filter((method) => !app.supportedMethods.includes(method)))
    app.addHttpMethod(method, { hasBody: true });
  for (const method of documented)
    app.route({ ...route, method, schema: { ...schema, operationId: operationIdOf(method) } });
  const others = methods.filter((method) => !documented.includes(method));
  app.route({ ...route, method: others, schema: { querystring: Question, hide: true } });

  /** The request log is about what people asked for. */
  async function nameOriginal(request: FastifyRequest) {
    if (!isTrusted(request.raw.socket.remoteAddress ?? '', 0)) return;
    const { headers } = request;
    const method = headers['x-original-method'] ?? headers['x-forwarded-method'];
    const url = headers['x-original-uri'] ?? headers['x-forwarded-uri'];
    app.requestLog.nameAs(request, {
      ...(METHODS.includes(String(method)) && { method: String(method) }),
      ...(String(url).startsWith('/') && { url: String(url) }),
    });
  }
};

async function allow(request: FastifyRequest, reply: FastifyReply) {
  const { apiKey, query } = request;
  const isQuestion = request.getValidationFunction('querystring');
  if (isQuestion?.(query) === false)
    throw Object.assign(new BadQuestion(), {
      validation: isQuestion.errors,
      validationContext: 'querystring',
    });
  const { scope, allowed } = query as typeof Question.static;
  if (scope !== undefined && !allows(apiKey, scope)) throw refusalOf('INSUFFICIENT_SCOPE', scope);
  return reply
    .code(allowed === '200' ? 200 : 204)
    .headers(identityOf(apiKey))
    .send();
}

function operationIdOf(method: string): string {
  return method === 'GET' ? 'authorize' : `authorize${method.charAt(0)}${method.slice(1).toLowerCase()}`;
}

function unreachable() {
  throw new Error('the request has been answered before');
}

function identityOf({ id, name, scopes }: CallingKey) {
  return { 'x-api-key-id': id, 'x-api-key-name': asciiOf(name), 'x-api-key-scopes': scopes.join(' ') };
}

/** A header field holds no other characters; the rest, and % to tell them apart, as in a URL. */
function asciiOf(text: string): string {
  return text.replace(/[^ -~]+|%/gu, encodeURIComponent);
}

function deny(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  return sendProblem(denialOf(error, request), request, reply);
}

function denialOf(error: FastifyError, request: FastifyRequest): FastifyError {
  const { statusCode = 500, code } = error;
  if (statusCode === 401 || statusCode === 403) return error;
  if (statusCode === 429 && (request.query as typeof Question.static).rateLimited === '429') return error;
  if (code === 'TOO_MANY_BAD_KEYS') return refusalOf('NOT_FOUND');
  if (statusCode < 500 || statusCode === 503) return Object.assign(error, { statusCode: 403 });
  request.log.error({ err: error }, 'a key could not be checked');
  return new CheckFailed();
}
