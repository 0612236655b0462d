import fastifyStatic from '@fastify/static';
import type { FastifyPluginAsync } from 'fastify';

export interface DashboardOptions {
  /** Where `npm run build:page` has put the page. */
  pageDir: string;
}

/** Nothing inline and no other host; the data come from this service, and the key goes out as a header only. */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** A page to look at the service with. What it shows it asks of the API, with the key of who looks. */
export const dashboardRoutes: FastifyPluginAsync<DashboardOptions> = async (app, { pageDir }) => {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('content-security-policy', pagePolicy);
    done();
  });

  await app.register(fastifyStatic, {
    root: pageDir,
    prefix: '/dashboard/',
    preCompressed: true,
    index: false,
    dotfiles: 'ignore',
    // Their names change with their contents.
    maxAge: '365d',
    immutable: true,
  });

  // Small, and names the others: a validator made of its time and size would not tell two builds apart.
  const never = { cacheControl: false, etag: false, lastModified: false };
  app.get('/dashboard', { schema: { hide: true } }, (_request, reply) =>
    reply.header('cache-control', 'no-store').sendFile('index.html', never),
  );
  // Relative, so that it holds behind a proxy that adds a prefix.
  app.get('/dashboard/', { schema: { hide: true } }, (_request, reply) => reply.redirect('../dashboard'));
};
