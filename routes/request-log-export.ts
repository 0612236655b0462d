import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { logsRead } from '../plugins/api-keys/index.js';
import { streamWhileAllowed } from '../plugins/api-keys/stream-while-allowed.js';
import { keySecurity } from '../plugins/openapi.js';
import { problems } from '../plugins/problem-details/schema.js';
import { type ExportFormat, exportFormats, textOf } from '../plugins/request-log/export.js';
import { exampleFile, RequestLogExport } from './request-log-fields.js';

export const requestLogExportRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const file = (format: ExportFormat) => ({
    schema: Type.Unsafe<Readable>({ type: 'string' }),
    example: exampleFile(format),
  });
  app.get(
    '/v1/request-logs/export',
    {
      onRequest: app.requireApiKey(logsRead),
      schema: {
        tags: ['request log'],
        operationId: 'exportRequestLogs',
        summary: 'Export logged requests as a file, oldest first',
        security: keySecurity,
        querystring: RequestLogExport,
        response: {
          200: {
            description: 'One line for each request',
            headers: {
              'content-disposition': {
                type: 'string',
                description: 'The name of the file',
                example: 'attachment; filename="request-logs.csv"',
              },
            },
            content: { 'application/x-ndjson': file('ndjson'), 'text/csv': file('csv') },
          },
          ...problems(400, 401, 403, 429, 500, 503),
        },
      },
    },
    async (request, reply) => {
      const { format, ...filter } = request.query;
      const pages = app.requestLog.reader.pages(filter);
      // The first page is read before the response begins, so that a database that is down causes a 503.
      const first = await pages.next();

      reply
        .type(exportFormats[format].type)
        .header('content-disposition', `attachment; filename="request-logs.${format}"`);
      if (request.method === 'HEAD') return Readable.from([]);
      return streamWhileAllowed(app, request, logsRead, textOf(format, allPages()));

      async function* allPages() {
        if (first.value) yield first.value;
        yield* pages;
      }
    },
  );
};
