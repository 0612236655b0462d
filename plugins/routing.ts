import createError from '@fastify/error';
import type { FastifyRequest, HTTPMethods } from 'fastify';
import fp from 'fastify-plugin';
import Router, { type HTTPMethod } from 'find-my-way';
import { writeProblem } from './problem-details/index.js';
import { pathOf } from './request-log/record.js';

const NotFound = createError('NOT_FOUND', 'there is no %s %s', 404);
const MethodNotAllowed = createError('METHOD_NOT_ALLOWED', '%s is not allowed for this path; allowed methods: %s', 405);

/**
 * Handles unmatched requests before their body is read: 404; 405 with `Allow` when the path has other methods; `Allow` for
 * `OPTIONS`. Ignores routes that are hidden from the documentation.
 *
 * Register it after all other `onRequest` hooks, so that their headers are set.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6
 */
export default fp(
  async (app) => {
    const router = Router();
    const methods = new Set<HTTPMethods>();

    app.addHook('onRoute', ({ method, url, schema }) => {
      if (schema?.hide || url === '*') return;
      for (const each of [method].flat()) {
        methods.add(each);
        if (router.hasRoute(each as HTTPMethod, url)) continue;
        router.on(each as HTTPMethod, url, () => {});
      }
    });
    // Called by routes that use reply.callNotFound(), such as static files.
    app.setNotFoundHandler((request, reply) =>
      writeProblem(new NotFound(request.method, pathOf(request.url)), request, reply),
    );

    app.addHook('onRequest', (request, reply, done) => {
      // The CORS plugin registers OPTIONS *, which also counts as unmatched.
      // Fastify builds routeOptions for each read, so only OPTIONS pays for it.
      if (!request.is404 && (request.method !== 'OPTIONS' || request.routeOptions.url !== '*')) return done();
      const allowed = allowedFor(request);
      if (allowed.length === 0) return done(new NotFound(request.method, pathOf(request.url)));
      const allow = allowed.join(', ');
      if (request.method === 'OPTIONS') return reply.code(204).header('allow', allow).send();
      done(Object.assign(new MethodNotAllowed(request.method, allow), { headers: { allow } }));
    });

    function allowedFor({ url }: FastifyRequest): string[] {
      const found = [...methods].filter((method) => hasRoute(method, pathOf(url)));
      return found.length === 0 ? [] : [...new Set([...found, 'OPTIONS'])].sort();
    }

    function hasRoute(method: HTTPMethods, path: string): boolean {
      try {
        return router.find(method as HTTPMethod, path) !== null;
      } catch {
        return false;
      }
    }
  },
  { name: 'routing' },
);
