import { Readable } from 'node:stream';
import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox';
import { adminScope } from '../plugins/api-keys/index.js';
import { streamWhileAllowed } from '../plugins/api-keys/stream-while-allowed.js';
import { keySecurity } from '../plugins/openapi.js';
import { problems } from '../plugins/problem-details/schema.js';

export const apiKeyExportRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/v1/api-keys/export',
    {
      onRequest: app.requireApiKey(adminScope),
      schema: {
        tags: ['keys'],
        operationId: 'exportApiKeys',
        summary: 'Export all keys as a file for an import',
        description:
          'Each line is a JSON object with the SHA-256 of a key and its fields. The first lines are the digests of deleted keys, so that the import restores none of them. The keys themselves are stored nowhere.',
        security: keySecurity,
        response: {
          200: {
            description: 'One line for each key',
            headers: {
              'content-disposition': {
                type: 'string',
                description: 'The name of the file',
                example: 'attachment; filename="api-keys.ndjson"',
              },
            },
            content: {
              'application/x-ndjson': {
                schema: Type.Unsafe<Readable>({ type: 'string' }),
                example:
                  '{"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","format":"musicez","name":"ci"}\n',
              },
            },
          },
          ...problems(400, 401, 403, 429, 500, 503),
        },
      },
    },
    async (request, reply) => {
      const pages = app.apiKeys.exportKeys();
      // The first page is read before the response begins, so that a database that is down causes a 503.
      const first = await pages.next();
      reply.type('application/x-ndjson').header('content-disposition', 'attachment; filename="api-keys.ndjson"');
      if (request.method === 'HEAD') return Readable.from([]);
      return streamWhileAllowed(app, request, adminScope, allPages());

      async function* allPages() {
        if (first.value) yield first.value;
        yield* pages;
      }
    },
  );
};
