import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from '@sinclair/typebox';
import { problems } from '../plugins/problem-details/schema.js';
import { nullable, oneOf, Timestamp } from './fields.js';

const Status = oneOf('healthy', 'unhealthy');

const Health = Type.Object(
  {
    status: Status,
    version: Type.String(),
    uptimeSeconds: Type.Number(),
    timestamp: Timestamp,
    checks: Type.Object({
      database: Type.Object({
        status: Status,
        latencyMs: Type.Number(),
        writable: Type.Boolean({ description: 'False on a standby, and while batches of the request log fail' }),
        clockOffsetMs: nullable(Type.Number(), {
          description: "How far its clock, which decides about expiry, is ahead of this host's",
        }),
      }),
      requestLog: Type.Object(
        {
          accepted: Type.Integer(),
          written: Type.Integer(),
          buffered: Type.Integer(),
          spooled: Type.Integer(),
          dropped: Type.Integer(),
          store: oneOf('postgresql', 'clickhouse'),
          writable: Type.Boolean({
            description: 'False while batches fail, and until the first connection; records wait in the spool',
          }),
        },
        {
          description:
            'Records since the start: accepted = written + buffered + spooled + dropped; and where they are stored',
        },
      ),
      keyCache: Type.Object({
        entries: Type.Integer(),
        hearsChanges: Type.Boolean({
          description: 'Whether change notifications arrive, so that changes made elsewhere apply at once',
        }),
      }),
    }),
  },
  { description: 'The database answers and is writable', examples: [healthOf('healthy')] },
);

export type Health = Static<typeof Health>;

const Live = Type.Object(
  { status: oneOf('live') },
  { description: 'The event loop runs', examples: [{ status: 'live' }] },
);

const Ready = Type.Object(
  {
    status: oneOf('ready', 'not ready'),
    checks: Type.Optional(Type.Object({ migrated: Type.Boolean(), warm: Type.Boolean(), draining: Type.Boolean() })),
  },
  { description: 'Ready', examples: [{ status: 'ready' }] },
);

/** @see https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/ */
export const probeRoutes: FastifyPluginAsyncTypebox<{ version: string }> = async (app, { version }) => {
  app.get(
    '/health',
    {
      schema: {
        tags: ['service'],
        operationId: 'getHealth',
        summary: 'State of the service',
        response: {
          200: Health,
          503: {
            ...Health,
            description: 'The database does not answer, or is read-only',
            examples: [healthOf('unhealthy')],
          },
          ...problems(400, 500),
        },
      },
    },
    async (_request, reply) => {
      const database = await app.health.checkDatabase();
      const { cache } = app.apiKeys;
      reply.code(database.status === 'healthy' ? 200 : 503);
      return {
        status: database.status,
        version,
        uptimeSeconds: process.uptime(),
        timestamp: new Date(),
        checks: {
          database,
          requestLog: {
            ...app.requestLog.counts,
            store: app.requestLog.store,
            writable: app.requestLog.isWritable,
          },
          keyCache: { entries: cache.entries, hearsChanges: cache.receivesChanges },
        },
      };
    },
  );

  app.get(
    '/livez',
    {
      schema: {
        tags: ['service'],
        operationId: 'getLiveness',
        summary: 'Liveness: whether the event loop runs',
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
        summary: 'Readiness: whether to send requests to this instance',
        querystring: Type.Object({
          verbose: Type.Optional(Type.String({ description: 'With any value, the response lists the checks' })),
        }),
        response: {
          200: Ready,
          503: { ...Ready, description: 'Starting or shutting down', examples: [{ status: 'not ready' }] },
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
      database: { status, latencyMs: 0.8, writable: status === 'healthy', clockOffsetMs: 1 },
      requestLog: {
        ...{ accepted: 1200, written: 1190, buffered: 10, spooled: 0, dropped: 0 },
        ...{ store: 'postgresql', writable: status === 'healthy' },
      },
      keyCache: { entries: 12, hearsChanges: status === 'healthy' },
    },
  };
}
