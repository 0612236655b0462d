import helmet, { type FastifyHelmetOptions } from '@fastify/helmet';
import Fastify from 'fastify';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyInstance {
    /** What every answer carries; a route may override one with `reply.header`. */
    securityHeaders: Readonly<Record<string, string>>;
  }
}

/**
 * Helmet's headers on every answer. Helmet puts the same twelve together anew for each request, which costs as much as
 * all of Fastify; they are taken from it once, at start.
 */
export default fp<FastifyHelmetOptions>(
  async (app, options) => {
    const headers = await headersOf(options);
    app.decorate('securityHeaders', headers);
    app.addHook('onRequest', (_request, reply, done) => {
      reply.headers(headers);
      done();
    });
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
