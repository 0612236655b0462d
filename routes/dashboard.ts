import fastifyStatic from '@fastify/static';
import type { FastifyPluginAsync } from 'fastify';

export interface DashboardOptions {
  /** The directory that `npm run build:page` writes to. */
  pageDir: string;
}

/** No inline code and no other hosts. */
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

/** Serves the dashboard. It reads the API with the key of the user, so these routes need none. */
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
    // Their names contain a hash of their contents.
    maxAge: '365d',
    immutable: true,
  });

  // The page names the other files. An ETag of its time and size would not distinguish two builds.
  const never = { cacheControl: false, etag: false, lastModified: false };
  app.get('/dashboard', { schema: { hide: true } }, (_request, reply) =>
    reply.header('cache-control', 'no-store').sendFile('index.html', never),
  );
  // Relative, for proxies that add a prefix.
  app.get('/dashboard/', { schema: { hide: true } }, (_request, reply) => reply.redirect('../dashboard'));
};
