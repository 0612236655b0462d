import createError from '@fastify/error';
import { type FastifyPluginAsyncTypebox, type Static, Type } from '@fastify/type-provider-typebox';
import { logsRead } from '../plugins/api-keys/index.js';
import { clock } from '../plugins/clock.js';
import { keySecurity } from '../plugins/openapi.js';
import { badField } from '../plugins/problem-details/bad-field.js';
import { problems } from '../plugins/problem-details/schema.js';
import { defaulted, IdParams, nullable, Page, pageOf } from './fields.js';
import { RequestLogEntries, RequestLogEntry, requestLogFilter } from './request-log-fields.js';

const Filter = Type.Object(
  {
    ...Page.properties,
    ...requestLogFilter,
    sort: defaulted(
      Type.Unsafe<'newest' | 'slowest'>({
        type: 'string',
        enum: ['newest', 'slowest'],
        default: 'newest',
        description:
          '`slowest`: the longest durations first, a single page; requires `from`. In a range over a day, only durations from 500 ms',
      }),
    ),
  },
  { additionalProperties: false },
);

/** Sorting all rows of a longer range takes too long. A little more than a day: a range of the last day can begin at a whole minute. */
const maxSortedMs = 90_000_000;

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
  const { reader } = app.requestLog;
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
      const { limit, sort, from, to, cursor } = request.query;
      if (sort === 'slowest') {
        if (from === undefined) throw badField('/querystring/from', 'is required with /querystring/sort=slowest');
        if (cursor !== undefined)
          throw badField('/querystring/cursor', 'is not allowed with /querystring/sort=slowest');
        const lengthMs = (to === undefined ? clock.now() : Date.parse(to)) - Date.parse(from);
        const data = await reader.slowest(request.query, limit, lengthMs <= maxSortedMs);
        return { data, nextCursor: null };
      }
      return pageOf(await reader.page(request.query, limit + 1, cursor), limit);
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
      const row = await reader.get(request.params.id);
      if (row === null) throw new NoSuchEntry();
      const { traceId } = row;
      return { ...row, traceUrl: (traceId && traceUrl?.replaceAll('{traceId}', traceId)) ?? null };
    },
  );
};
