import fastifyCors, { type FastifyCorsOptions } from '@fastify/cors';
import type { FastifyInstance, FastifyReply, onRequestHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import { PreparedResponse } from './security-headers/prepared-response.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Adds the CORS headers to a response that is sent before any hook runs. */
    addCorsHeaders(reply: FastifyReply): void;
  }
}

export interface CorsOptions {
  /** Origins as browsers send them, such as `https://app.example.com`. */
  origins: readonly string[];
}

const exposed =
  'x-request-id, www-authenticate, retry-after, allow, ratelimit-policy, ratelimit, ratelimit-limit, ratelimit-remaining, ratelimit-reset';

/**
 * The CORS headers of a response to a request from this origin.
 *
 * @returns no headers for an origin that is not allowed
 */
export function corsHeadersFor(origins: readonly string[], origin: string | undefined): Record<string, string> {
  if (origin === undefined || !origins.includes(origin)) return {};
  return { 'access-control-allow-origin': origin, vary: 'Origin', 'access-control-expose-headers': exposed };
}

function addVary(reply: FastifyReply) {
  if (reply.raw instanceof PreparedResponse) reply.raw.addLines('vary: Origin\r\n');
  else reply.header('vary', 'Origin');
}

/** Registers the CORS plugin without its hook. @returns the hook */
function hookOf(app: FastifyInstance, options: FastifyCorsOptions): onRequestHookHandler {
  let hook: onRequestHookHandler | undefined;
  const addHook = (_name: string, handler: onRequestHookHandler) => {
    hook = handler;
  };
  fastifyCors(Object.create(app, { addHook: { value: addHook } }), options, (error) => {
    if (error) throw error;
  });
  return hook as unknown as onRequestHookHandler;
}

/** CORS: pages of the allowed origins may call the service from a browser. */
export default fp<CorsOptions>(
  async (app, { origins }) => {
    app.decorate('addCorsHeaders', (reply: FastifyReply) => {
      reply.headers(corsHeadersFor(origins, reply.request.headers.origin));
    });
    if (origins.length === 0) return;
    const addHeaders = hookOf(app, {
      origin: [...origins],
      methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
      exposedHeaders: exposed,
      // Treat OPTIONS without preflight headers as an ordinary request.
      strictPreflight: false,
    });
    // The hook costs 7 % of a request. Without an Origin it would only add this header.
    app.addHook('onRequest', function (request, reply, done) {
      if (request.headers.origin !== undefined) return addHeaders.call(this, request, reply, done);
      addVary(reply);
      done();
    });
  },
  { name: 'cors' },
);
