import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { stringify } from 'csv-stringify/sync';
import { adminScope } from '../plugins/api-keys/index.js';
import { keySecurity } from '../plugins/openapi.js';
import type { RequestLog } from '../plugins/prisma/generated/client.js';
import { problems } from '../plugins/problem-details/schema.js';
import { firstIdAt } from '../plugins/request-log/record.js';
import { conditionsOf, type RequestLogFilter, requestLogFilter } from './request-log-fields.js';

const columns = ['id', 'createdAt', 'method', 'path', 'statusCode', 'duration', 'ip', 'userAgent', 'apiKeyId'] as const;

const formats = {
  ndjson: {
    type: 'application/x-ndjson',
    head: '',
    textOf: (rows: RequestLog[]) => rows.map((row) => `${JSON.stringify(row, [...columns])}\n`).join(''),
  },
  csv: {
    type: 'text/csv; charset=utf-8',
    head: `${columns.join(',')}\n`,
    // A user agent is anybody's text: none may be a formula in the spreadsheet that opens it.
    textOf: (rows: RequestLog[]) =>
      stringify(rows, {
        columns: [...columns],
        escape_formulas: true,
        cast: { date: (time) => time.toISOString() },
      }),
  },
};

const Query = Type.Object(
  {
    format: Type.Unsafe<keyof typeof formats>({ type: 'string', enum: Object.keys(formats) }),
    ...requestLogFilter,
  },
  { additionalProperties: false },
);

const rowsAtATime = 1_000;

export const requestLogExportRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const file = { schema: Type.Unsafe<Readable>({ type: 'string' }) };
  app.get(
    '/v1/request-logs/export',
    {
      onRequest: app.requireApiKey(adminScope),
      schema: {
        tags: ['request log'],
        summary: 'All requests that fit, as a file, oldest first',
        security: keySecurity,
        querystring: Query,
        response: {
          200: { description: 'A line each', content: { 'application/x-ndjson': file, 'text/csv': file } },
          ...problems(400, 401, 403, 429, 503),
        },
      },
    },
    async (request, reply) => {
      const { format, ...filter } = request.query;
      const { type, head, textOf } = formats[format];
      const pages = pagesOf(filter);
      // Read before the answer begins, so that a database that is away is a 503 rather than half a file.
      const first = await pages.next();

      reply.type(type).header('content-disposition', `attachment; filename="request-logs.${format}"`);
      return Readable.from(texts());

      async function* texts() {
        yield head;
        if (first.value) yield textOf(first.value);
        for await (const rows of pages) yield textOf(rows);
      }
    },
  );

  /** Reads what there is now, and never more than one page ahead of whoever takes it. */
  async function* pagesOf(filter: RequestLogFilter): AsyncGenerator<RequestLog[], undefined> {
    const { id, ...conditions } = conditionsOf(filter, firstIdAt(new Date(Date.now() + 1)));
    let last: string | undefined;
    for (;;) {
      const rows: RequestLog[] = await app.prisma.requestLog.findMany({
        where: { ...conditions, id: { ...id, ...(last && { gt: last }) } },
        orderBy: { id: 'asc' },
        take: rowsAtATime,
      });
      last = rows.at(-1)?.id;
      if (!last) return undefined;
      yield rows;
    }
  }
};
