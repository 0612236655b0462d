import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from '@sinclair/typebox';
import { problems } from '../plugins/problem-details/schema.js';
import { oneOf, Timestamp } from './fields.js';

const Status = oneOf('healthy', 'unhealthy');

const Health = Type.Object(
  {
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
  },
  { description: 'The database answers', examples: [healthOf('healthy')] },
);

export type Health = Static<typeof Health>;

const Live = Type.Object({ status: oneOf('live') }, { description: 'It turns', examples: [{ status: 'live' }] });

const Ready = Type.Object(
  {
    status: oneOf('ready', 'not ready'),
    checks: Type.Optional(Type.Object({ migrated: Type.Boolean(), warm: Type.Boolean(), draining: Type.Boolean() })),
  },
  { description: 'They should', examples: [{ status: 'ready' }] },
);

/** @see https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/ */
export const probeRoutes: FastifyPluginAsyncTypebox<{ version: string }> = async (app, { version }) => {
  app.get(
    '/health',
    {
      schema: {
        tags: ['service'],
        operationId: 'getHealth',
        summary: 'How the service is',
        response: {
          200: Health,
          503: { ...Health, description: 'The database does not answer', examples: [healthOf('unhealthy')] },
          ...problems(400, 500),
        },
      },
    },
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
    {
      schema: {
        tags: ['service'],
        operationId: 'getLiveness',
        summary: 'Whether the event loop turns',
        response: { 200: Live, ...problems(400, 500) },
      },
    },
    async () => ({ status: 'live' as const }),
  );

  app.get(
    '/readyz',
    {
      schema: {
        tags: ['service'],
        operationId: 'getReadiness',
        summary: 'Whether requests should be sent here',
        querystring: Type.Object({ verbose: Type.Optional(Type.String({ description: 'Anything: say why' })) }),
        response: {
          200: Ready,
          503: { ...Ready, description: 'It is starting or stopping', examples: [{ status: 'not ready' }] },
          ...problems(400, 500),
        },
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

function healthOf(status: 'healthy' | 'unhealthy') {
  return {
    status,
    version: '0.1.0',
    uptimeSeconds: 3600.5,
    timestamp: '2026-01-31T09:30:00.000Z',
    checks: {
      database: { status, latencyMs: 0.8 },
      requestLog: { accepted: 1200, written: 1190, buffered: 10, spooled: 0, dropped: 0 },
      keyCache: { entries: 12, hearsChanges: status === 'healthy' },
    },
  };
}
