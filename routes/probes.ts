import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { problems } from '../plugins/problem-details/schema.js';
import { Timestamp } from './fields.js';

const Status = Type.Union([Type.Literal('healthy'), Type.Literal('unhealthy')]);

const Health = Type.Object({
  status: Status,
  version: Type.String(),
  uptimeSeconds: Type.Number(),
  timestamp: Timestamp,
  checks: Type.Object({
    database: Type.Object({ status: Status, latencyMs: Type.Number() }),
    requestLog: Type.Object(
      {
        accepted: Type.Integer(),
        written: Type.Integer(),
        buffered: Type.Integer(),
        spooled: Type.Integer(),
        dropped: Type.Integer(),
      },
      { description: 'Records since the start: accepted = written + buffered + spooled + dropped' },
    ),
    keyCache: Type.Object({
      entries: Type.Integer(),
      hearsChanges: Type.Boolean({ description: 'Whether changes made elsewhere apply at once' }),
    }),
  }),
});

const Live = Type.Object({ status: Type.Literal('live') });

const Ready = Type.Object({
  status: Type.Union([Type.Literal('ready'), Type.Literal('not ready')]),
  checks: Type.Optional(Type.Object({ migrated: Type.Boolean(), warm: Type.Boolean(), draining: Type.Boolean() })),
});

/** @see https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/ */
export const probeRoutes: FastifyPluginAsyncTypebox<{ version: string }> = async (app, { version }) => {
  app.get(
    '/health',
    { schema: { tags: ['service'], summary: 'How the service is', response: { 200: Health, 503: Health } } },
    async (_request, reply) => {
      const database = await app.health.checkDatabase();
      reply.code(database.status === 'healthy' ? 200 : 503);
      return {
        status: database.status,
        version,
        uptimeSeconds: process.uptime(),
        timestamp: new Date(),
        checks: { database, requestLog: app.requestLog.counts, keyCache: app.apiKeys.cache },
      };
    },
  );

  app.get(
    '/livez',
    { schema: { tags: ['service'], summary: 'Whether the event loop turns', response: { 200: Live } } },
    async () => ({ status: 'live' as const }),
  );

  app.get(
    '/readyz',
    {
      schema: {
        tags: ['service'],
        summary: 'Whether requests should be sent here',
        querystring: Type.Object({ verbose: Type.Optional(Type.String()) }),
        response: { 200: Ready, 503: Ready, ...problems(400) },
      },
    },
    async (request, reply) => {
      const { isReady, isWarm } = app.health;
      reply.code(isReady ? 200 : 503);
      const checks = { migrated: app.database.isReady, warm: isWarm, draining: app.drain.isDraining };
      return {
        status: isReady ? ('ready' as const) : ('not ready' as const),
        ...(request.query.verbose !== undefined && { checks }),
      };
    },
  );
};
