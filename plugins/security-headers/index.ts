import helmet, { type FastifyHelmetOptions } from '@fastify/helmet';
import Fastify, { type FastifyReply } from 'fastify';
import fp from 'fastify-plugin';
import { PreparedHeaders, PreparedResponse } from './prepared-response.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Adds the security headers to a response that is sent before any hook runs. */
    addSecurityHeaders(reply: FastifyReply): void;
    /**
     * Keeps a response out of caches: `Cache-Control: no-store`, unless the route sets it, and `Vary` by the headers that can have a
     * key.
     */
    forbidCaching(reply: FastifyReply): void;
  }
}

/**
 * Helmet's headers on every response. A route overrides one with `reply.header`.
 *
 * Helmet computes the same headers for each request, which costs as much as Fastify itself. They are computed once, at the start, and
 * `PreparedResponse` writes them as text.
 */
export default fp<FastifyHelmetOptions>(
  async (app, options) => {
    const headers = await headersOf(options);
    const prepared = new PreparedHeaders(headers);
    const uncached = new PreparedHeaders({ ...headers, 'cache-control': 'no-store' });

    app.decorate('addSecurityHeaders', addSecurityHeaders);
    app.addHook('onRequest', (_request, reply, done) => {
      addSecurityHeaders(reply);
      done();
    });

    app.decorate('forbidCaching', (reply) => {
      if (reply.raw instanceof PreparedResponse) {
        reply.raw.prepared = uncached;
        reply.raw.addLines(varyLine);
      } else {
        reply.header('cache-control', 'no-store').header('vary', varyByKey);
      }
    });

    function addSecurityHeaders(reply: FastifyReply) {
      if (reply.raw instanceof PreparedResponse) reply.raw.prepared = prepared;
      else reply.headers(prepared.headers);
    }
  },
  { name: 'security-headers' },
);

/** A separate line: clients combine it with a `Vary` that the route or CORS sets. */
const varyByKey = 'authorization, x-api-key';
const varyLine = `vary: ${varyByKey}\r\n`;

async function headersOf(options: FastifyHelmetOptions): Promise<Record<string, string>> {
  const probe = Fastify();
  await probe.register(helmet, options);
  probe.get('/', () => '');
  probe.get('/bare', { helmet: false }, () => '');
  const bare = await probe.inject('/bare');
  const { headers } = await probe.inject('/');
  await probe.close();
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !(name in bare.headers))
      .map(([name, value]) => [name, String(value)]),
  );
}
