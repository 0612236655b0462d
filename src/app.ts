import proxyAddr from '@fastify/proxy-addr';
import Fastify, { type FastifyInstance } from 'fastify';
import apiKeys from '../plugins/api-keys/index.js';
import clientAddress from '../plugins/client-address.js';
import cors from '../plugins/cors.js';
import database from '../plugins/database/index.js';
import drain from '../plugins/drain.js';
import emptyJsonBody from '../plugins/empty-json-body.js';
import health from '../plugins/health.js';
import keyUsage from '../plugins/key-usage.js';
import limits from '../plugins/limits/index.js';
import loadShedding from '../plugins/load-shedding.js';
import metrics from '../plugins/metrics/index.js';
import openapi from '../plugins/openapi.js';
import prisma from '../plugins/prisma/index.js';
import problemDetails from '../plugins/problem-details/index.js';
import quotaEvents from '../plugins/quota-events.js';
import requestId from '../plugins/request-id.js';
import requestLog from '../plugins/request-log/index.js';
import routing from '../plugins/routing.js';
import securityHeaders from '../plugins/security-headers/index.js';
import strictBodies from '../plugins/strict-bodies.js';
import traceContext from '../plugins/trace-context.js';
import tracing from '../plugins/tracing/index.js';
import { apiKeyEventRoutes } from '../routes/api-key-events.js';
import { apiKeyExportRoutes } from '../routes/api-key-export.js';
import { apiKeyImportRoutes } from '../routes/api-key-import.js';
import { apiKeyVerificationRoutes } from '../routes/api-key-verification.js';
import { apiKeyRoutes } from '../routes/api-keys.js';
import { dashboardRoutes } from '../routes/dashboard.js';
import { forwardAuthRoutes } from '../routes/forward-auth.js';
import { homeRoutes } from '../routes/home.js';
import { meRoutes } from '../routes/me.js';
import { metricsRoutes } from '../routes/metrics.js';
import { ownerLimitRoutes } from '../routes/owner-limits.js';
import { probeRoutes } from '../routes/probes.js';
import { requestGroupRoutes } from '../routes/request-groups.js';
import { requestLogExportRoutes } from '../routes/request-log-export.js';
import { requestLogStreamRoutes } from '../routes/request-log-stream.js';
import { requestLogRoutes } from '../routes/request-logs.js';
import { requestStatsRoutes } from '../routes/request-stats.js';
import { usageRoutes } from '../routes/usage.js';
import { commandNames } from './command-names.js';
import type { Config } from './config/index.js';
import { fastifyOptions } from './fastify-options.js';

/** Requests for these are neither logged nor traced. */
const unlogged = ['/livez', '/readyz', '/metrics'];

/** Builds the service, in the order in which it starts. It stops in the reverse order. Does not listen. */
export async function buildApp(config: Config): Promise<FastifyInstance> {
  const { version } = config;
  const app = Fastify(fastifyOptions(config));
  const isTrusted = trustOf(config.trustProxy);

  // For all responses
  await app.register(problemDetails);
  await app.register(emptyJsonBody);
  await app.register(strictBodies);
  await app.register(clientAddress, { trustProxy: config.trustProxy });
  await app.register(traceContext, { startsTraces: config.tracing !== undefined });
  await app.register(tracing, { variables: config.tracing, version, exclude: unlogged });
  await app.register(requestId, { isTrusted });
  await app.register(securityHeaders, {});
  await app.register(drain, config.drain);

  // The database
  await app.register(database, {
    version,
    shouldMigrate: config.shouldMigrate,
    migrateCommand: commandNames.migrate,
    ...config.database,
  });
  await app.register(prisma);

  // The features of the service
  await app.register(limits, config.limits);
  await app.register(apiKeys, config.apiKeys);
  await app.register(requestLog, { ...config.requestLog, exclude: unlogged });
  await app.register(cors, { origins: config.corsOrigins });
  await app.register(loadShedding, { ...config.loadShedding, exempt: ['/livez', '/readyz', '/health', '/metrics'] });
  await app.register(keyUsage);
  await app.register(quotaEvents);
  await app.register(metrics);
  await app.register(health);
  await app.register(routing);
  await app.register(openapi, { version });

  // Routes: a new module is a file in routes/ and a line here
  await app.register(homeRoutes, { version });
  await app.register(probeRoutes, { version });
  await app.register(metricsRoutes);
  await app.register(meRoutes);
  await app.register(apiKeyRoutes);
  await app.register(apiKeyEventRoutes);
  await app.register(apiKeyImportRoutes);
  await app.register(apiKeyExportRoutes);
  await app.register(apiKeyVerificationRoutes);
  await app.register(ownerLimitRoutes);
  await app.register(usageRoutes);
  await app.register(forwardAuthRoutes, { isTrusted });
  await app.register(requestLogRoutes, { traceUrl: config.traceUrl });
  await app.register(requestLogExportRoutes);
  await app.register(requestGroupRoutes);
  await app.register(requestStatsRoutes);
  await app.register(requestLogStreamRoutes);
  await app.register(dashboardRoutes, config.dashboard);

  return app;
}

/** Whether a peer is a proxy whose headers about the original request are trusted. */
function trustOf(trustProxy: Config['trustProxy']): (address: string) => boolean {
  if (!Array.isArray(trustProxy)) return () => trustProxy;
  const isProxy = proxyAddr.compile(trustProxy);
  return (address) => isProxy(address, 0);
}
