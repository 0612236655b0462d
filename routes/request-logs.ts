import createError from '@fastify/error';
import { type FastifyPluginAsyncTypebox, type Static, Type } from '@fastify/type-provider-typebox';
import { adminScope } from '../plugins/api-keys/index.js';
import { keySecurity } from '../plugins/openapi.js';
import { problems } from '../plugins/problem-details/schema.js';
import { firstIdAt } from '../plugins/request-log/record.js';
import { GivenTimestamp, Id, IdParams, lineOfText, Page, pageOf, Timestamp } from './fields.js';

const RequestLogEntry = Type.Object({
  id: Type.String({ description: 'The x-request-id of the answer' }),
  method: Type.String(),
  path: Type.String({ description: 'Without the query string' }),
  statusCode: Type.Integer({ description: '499: the client went away before the answer' }),
  duration: Type.Integer({ description: 'Milliseconds' }),
  ip: Type.String(),
  userAgent: Type.Union([Type.String(), Type.Null()]),
  apiKeyId: Type.Union([Type.String(), Type.Null()], { description: 'The calling key' }),
  createdAt: Timestamp,
});

const Filter = Type.Object(
  {
    ...Page.properties,
    from: Type.Optional(GivenTimestamp),
    to: Type.Optional(GivenTimestamp),
    method: Type.Optional(Type.String({ pattern: '^[A-Z-]{1,32}$' })),
    path: Type.Optional(Type.String({ maxLength: 1024, pattern: lineOfText })),
    statusCode: Type.Optional(Type.Integer({ minimum: 100, maximum: 599 })),
    minDuration: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1, description: 'Milliseconds' })),
    apiKeyId: Type.Optional(Id),
  },
  { additionalProperties: false },
);

const NoSuchEntry = createError('REQUEST_LOG_NOT_FOUND', 'there is no logged request with this id', 404);

export const requestLogRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addHook('onRequest', app.requireApiKey(adminScope));
  const schema = { tags: ['request log'], security: keySecurity };
  const refusals = problems(400, 401, 403, 503);

  app.get(
    '/v1/request-logs',
    {
      schema: {
        ...schema,
        summary: 'List requests, newest first',
        querystring: Filter,
        response: {
          200: Type.Object({ data: Type.Array(RequestLogEntry), nextCursor: Type.Union([Id, Type.Null()]) }),
          ...refusals,
        },
      },
    },
    async (request) => {
      const { limit } = request.query;
      const rows = await app.prisma.requestLog.findMany({
        where: conditionsOf(request.query),
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
        summary: 'One request',
        params: IdParams,
        response: { 200: RequestLogEntry, ...refusals, ...problems(404) },
      },
    },
    async (request) => {
      const row = await app.prisma.requestLog.findUnique({ where: { id: request.params.id } });
      if (row === null) throw new NoSuchEntry();
      return row;
    },
  );
};

/** Ids begin with the time, so a range of time is a range of the primary key: `from` counts, `to` does not. */
function conditionsOf({ from, to, cursor, method, path, statusCode, minDuration, apiKeyId }: Static<typeof Filter>) {
  const before = [cursor, to && firstIdAt(new Date(to))].filter((id) => id !== undefined).sort()[0];
  return {
    id: { ...(from && { gte: firstIdAt(new Date(from)) }), ...(before && { lt: before }) },
    ...(method && { method }),
    ...(path && { path }),
    ...(statusCode && { statusCode }),
    ...(minDuration && { duration: { gte: minDuration } }),
    ...(apiKeyId && { apiKeyId }),
  };
}
