import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from '@sinclair/typebox';
import { logsRead } from '../plugins/api-keys/index.js';
import { clock } from '../plugins/clock.js';
import { keySecurity } from '../plugins/openapi.js';
import { badField } from '../plugins/problem-details/bad-field.js';
import { problems } from '../plugins/problem-details/schema.js';
import { type GroupKind, groupFields, maxGroupedRequests, maxGroups } from '../plugins/request-log/groups.js';
import { described, nullable, Timestamp } from './fields.js';
import { requestLogFilter } from './request-log-fields.js';

const dayMs = 86_400_000;

const Querystring = Type.Object(
  {
    by: Type.Unsafe<GroupKind>({
      type: 'string',
      enum: Object.keys(groupFields),
      description: '`error`: failed requests by method, route and status',
      examples: ['error'],
    }),
    ...requestLogFilter,
    from: described(requestLogFilter.from, 'Arrived at this time or later. Default: a day before `to`'),
  },
  { additionalProperties: false },
);

const Groups = Type.Object(
  {
    groups: Type.Array(
      Type.Object({
        method: Type.Optional(Type.String()),
        route: Type.Optional(nullable(Type.String())),
        statusCode: Type.Optional(Type.Integer()),
        ip: Type.Optional(Type.String()),
        userAgent: Type.Optional(nullable(Type.String())),
        apiKeyId: Type.Optional(nullable(Type.String())),
        ownerId: Type.Optional(nullable(Type.String())),
        count: Type.Integer({ description: 'Requests' }),
        firstSeen: described(Timestamp, 'When the first of them arrived'),
        lastSeen: described(Timestamp, 'When the last of them arrived'),
        keyCount: Type.Integer({ description: 'How many keys they had' }),
      }),
      { description: `Largest first, at most ${maxGroups}; each has the fields of its kind` },
    ),
    readSince: nullable(Timestamp, {
      description: `Set when more than ${maxGroupedRequests} requests match: only those after this time are counted`,
    }),
  },
  {
    description: 'The groups',
    examples: [
      {
        groups: [
          {
            method: 'GET',
            route: '/v1/orders/:id',
            statusCode: 503,
            count: 120,
            firstSeen: '2026-01-31T09:30:00.000Z',
            lastSeen: '2026-01-31T09:34:00.000Z',
            keyCount: 3,
          },
        ],
        readSince: null,
      },
    ],
  },
);
export type RequestGroups = Static<typeof Groups>;

/** Groups of similar requests: errors, addresses, user agents. */
export const requestGroupRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/v1/request-logs/groups',
    {
      onRequest: app.requireApiKey(logsRead),
      schema: {
        tags: ['request log'],
        operationId: 'getRequestGroups',
        summary: 'Requests grouped by error, route, address, user agent, key or owner',
        description: `Counts the newest ${maxGroupedRequests} requests that match the filter.`,
        security: keySecurity,
        querystring: Querystring,
        response: { 200: Groups, ...problems(400, 401, 403, 429, 500, 503) },
      },
    },
    async (request) => {
      const { by, to, ...filter } = request.query;
      const end = to === undefined ? clock.now() : Date.parse(to);
      const { from = new Date(end - dayMs).toISOString() } = filter;
      if (Date.parse(from) >= end) throw badField('/querystring/from', 'must be before /querystring/to');
      return app.requestLog.reader.groups(by, { ...filter, from, to });
    },
  );
};
