import helmet, { type FastifyHelmetOptions } from '@fastify/helmet';
import Fastify, { type FastifyReply } from 'fastify';
import fp from 'fastify-plugin';
import { PreparedHeaders, PreparedResponse } from './prepared-response.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Gives an answer the headers that every answer has. For those that are sent before any hook runs. */
    addSecurityHeaders(reply: FastifyReply): void;
  }
}

/**
 * Helmet's headers on every answer; a route may override one with `reply.header`. Helmet puts the same twelve together
 * anew for each request, which costs as much as all of Fastify, so they are taken from it once, at start. Where the
 * server makes its answers as `PreparedResponse`, they are not even set one by one.
 */
export default fp<FastifyHelmetOptions>(
  async (app, options) => {
    const prepared = new PreparedHeaders(await headersOf(options));

    app.decorate('addSecurityHeaders', addSecurityHeaders);
    app.addHook('onRequest', (_request, reply, done) => {
      addSecurityHeaders(reply);
      done();
    });

    function addSecurityHeaders(reply: FastifyReply) {
      if (reply.raw instanceof PreparedResponse) reply.raw.prepared = prepared;
      else reply.headers(prepared.headers);
    }
  },
  { name: 'security-headers' },
);

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
