import cors from '@fastify/cors';
import Fastify, { type FastifyInstance } from 'fastify';
import apiKeys from '../plugins/api-keys/index.js';
import database from '../plugins/database/index.js';
import drain from '../plugins/drain.js';
import health from '../plugins/health.js';
import keyUsage from '../plugins/key-usage.js';
import limits from '../plugins/limits/index.js';
import loadShedding from '../plugins/load-shedding.js';
import metrics from '../plugins/metrics/index.js';
import openapi from '../plugins/openapi.js';
import prisma from '../plugins/prisma/index.js';
import problemDetails from '../plugins/problem-details/index.js';
import requestId from '../plugins/request-id.js';
import requestLog from '../plugins/request-log/index.js';
import securityHeaders from '../plugins/security-headers/index.js';
import { apiKeyVerificationRoutes } from '../routes/api-key-verification.js';
import { apiKeyRoutes } from '../routes/api-keys.js';
import { dashboardRoutes } from '../routes/dashboard/index.js';
import { forwardAuthRoutes } from '../routes/forward-auth.js';
import { homeRoutes } from '../routes/home.js';
import { meRoutes } from '../routes/me.js';
import { metricsRoutes } from '../routes/metrics.js';
import { probeRoutes } from '../routes/probes.js';
import { requestLogExportRoutes } from '../routes/request-log-export.js';
import { requestLogStreamRoutes } from '../routes/request-log-stream.js';
import { requestLogRoutes } from '../routes/request-logs.js';
import { requestStatsRoutes } from '../routes/request-stats.js';
import type { Config } from './config/index.js';
import { fastifyOptions } from './fastify-options.js';

/** The service, in the order in which it starts; it stops in the reverse order. Nothing listens yet. */
export async function buildApp(config: Config): Promise<FastifyInstance> {
  const { version } = config;
  const app = Fastify(fastifyOptions(config));

  // What every answer has
  await app.register(problemDetails);
  await app.register(requestId);
  await app.register(securityHeaders, {});
  await app.register(drain, config.drain);

  // Where things are kept
  await app.register(database, { version, ...config.database });
  await app.register(prisma);

  // What the service is for
  await app.register(limits, config.limits);
  await app.register(apiKeys, config.apiKeys);
  await app.register(requestLog, { ...config.requestLog, exclude: ['/livez', '/readyz', '/metrics'] });
  await app.register(loadShedding, { ...config.loadShedding, exempt: ['/livez', '/readyz', '/health', '/metrics'] });
  await app.register(keyUsage);
  await app.register(metrics);
  if (config.corsOrigins.length > 0) {
    await app.register(cors, {
      // To who is no browser it says nothing, which a twentieth of a request is spent on.
      origin: (origin, allow) => allow(null, origin !== undefined && config.corsOrigins),
      methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
      exposedHeaders:
        'x-request-id, www-authenticate, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset',
      // An OPTIONS that is no preflight is a request like any other.
      strictPreflight: false,
    });
  }
  await app.register(health);
  await app.register(openapi, { version });

  // Routes: a new module is one file in routes/ and one line here
  await app.register(homeRoutes, { version });
  await app.register(probeRoutes, { version });
  await app.register(metricsRoutes);
  await app.register(meRoutes);
  await app.register(apiKeyRoutes);
  await app.register(apiKeyVerificationRoutes);
  await app.register(forwardAuthRoutes, { trustProxy: config.trustProxy });
  await app.register(requestLogRoutes);
  await app.register(requestLogExportRoutes);
  await app.register(requestStatsRoutes);
  await app.register(requestLogStreamRoutes);
  await app.register(dashboardRoutes, config.dashboard);

  return app;
}
