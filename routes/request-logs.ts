import createError from '@fastify/error';
import { type FastifyPluginAsyncTypebox, type Static, Type } from '@fastify/type-provider-typebox';
import { logsRead } from '../plugins/api-keys/index.js';
import { keySecurity } from '../plugins/openapi.js';
import type { Prisma } from '../plugins/prisma/generated/client.js';
import { badField } from '../plugins/problem-details/bad-field.js';
import { problems } from '../plugins/problem-details/schema.js';
import { defaulted, IdParams, nullable, Page, pageOf } from './fields.js';
import { conditionsOf, RequestLogEntries, RequestLogEntry, requestLogFilter } from './request-log-fields.js';

const Filter = Type.Object(
  {
    ...Page.properties,
    ...requestLogFilter,
    sort: defaulted(
      Type.Unsafe<'newest' | 'slowest'>({
        type: 'string',
        enum: ['newest', 'slowest'],
        default: 'newest',
        description: '`slowest`: the longest durations first, a single page; requires `from`',
      }),
    ),
  },
  { additionalProperties: false },
);

/** The migration request_stats creates an index of longer durations. */
const indexedDurationMs = 500;

const NoSuchEntry = createError('REQUEST_LOG_NOT_FOUND', 'no logged request has this id', 404);

export interface RequestLogRoutesOptions {
  /** The URL of a trace, with `{traceId}`. */
  traceUrl: string | undefined;
}

const RequestWithTrace = Type.Composite(
  [
    RequestLogEntry,
    Type.Object({
      traceUrl: nullable(Type.String(), {
        description: 'The trace at `TRACE_URL`; null without a trace or that variable',
      }),
    }),
  ],
  {
    description: 'The request',
    examples: [
      { ...RequestLogEntry.examples[0], traceUrl: 'https://tempo.example/trace/0af7651916cd43dd8448eb211c80319c' },
    ],
  },
);
export type RequestWithTrace = Static<typeof RequestWithTrace>;

export const requestLogRoutes: FastifyPluginAsyncTypebox<RequestLogRoutesOptions> = async (app, { traceUrl }) => {
  app.addHook('onRequest', app.requireApiKey(logsRead));
  const schema = { tags: ['request log'], security: keySecurity };
  const errorResponses = problems(400, 401, 403, 429, 500, 503);

  app.get(
    '/v1/request-logs',
    {
      schema: {
        ...schema,
        operationId: 'listRequestLogs',
        summary: 'List logged requests, newest first',
        querystring: Filter,
        response: {
          200: RequestLogEntries,
          ...errorResponses,
        },
      },
    },
    async (request) => {
      const { limit, sort, from, cursor } = request.query;
      if (sort === 'slowest') {
        if (from === undefined) throw badField('/querystring/from', 'is required with /querystring/sort=slowest');
        if (cursor !== undefined)
          throw badField('/querystring/cursor', 'is not allowed with /querystring/sort=slowest');
        return { data: await slowestOf(conditionsOf(request.query), limit), nextCursor: null };
      }
      const rows = await app.prisma.requestLog.findMany({
        where: conditionsOf(request.query, cursor),
        orderBy: { id: 'desc' },
        take: limit + 1,
      });
      return pageOf(rows, limit);
    },
  );

  app.get(
    '/v1/request-logs/:id',
    {
      schema: {
        ...schema,
        operationId: 'getRequestLog',
        summary: 'Get a logged request',
        params: IdParams,
        response: { 200: RequestWithTrace, ...errorResponses, ...problems(404, 414) },
      },
    },
    async (request) => {
      const row = await app.prisma.requestLog.findUnique({ where: { id: request.params.id } });
      if (row === null) throw new NoSuchEntry();
      const { traceId } = row;
      return { ...row, traceUrl: (traceId && traceUrl?.replaceAll('{traceId}', traceId)) ?? null };
    },
  );

  async function slowestOf(where: Prisma.RequestLogWhereInput, limit: number) {
    const read = (where: Prisma.RequestLogWhereInput) =>
      app.prisma.requestLog.findMany({ where, orderBy: [{ duration: 'desc' }, { id: 'desc' }], take: limit });
    const slow = await read({ AND: [where, { duration: { gte: indexedDurationMs } }] });
    // Reads and sorts all rows of the range.
    return slow.length === limit ? slow : read(where);
  }
};
