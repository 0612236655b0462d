import proxyAddr from '@fastify/proxy-addr';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyInstance, type FastifyPluginAsync, type FastifyPluginCallback } from 'fastify';
import apiKeys from '../plugins/api-keys/index.js';
import clientAddress from '../plugins/client-address.js';
import cors from '../plugins/cors.js';
import database from '../plugins/database/index.js';
import type { OwnTables } from '../plugins/database/migrations/sets.js';
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

/** What a service of your own adds. */
export interface Extensions {
  /** Registered after the features of the service, and before all routes. */
  plugins?: readonly Extension[];
  /** Route modules: their routes have the features of the service. */
  routes?: readonly Extension[];
  /** Their migrations are applied at the start, after those of musicez. */
  tables?: OwnTables;
}

type Extension = FastifyPluginAsync | FastifyPluginAsyncTypebox | FastifyPluginCallback;

/** Builds the service, in the order in which it starts. It stops in the reverse order. Does not listen. */
export function buildApp(config: Config, { plugins = [], routes = [], tables }: Extensions = {}): FastifyInstance {
  const { version } = config;
  const app = Fastify(fastifyOptions(config));
  const isTrusted = trustOf(config.trustProxy);

  // For all responses
  app.register(problemDetails);
  app.register(emptyJsonBody);
  app.register(strictBodies);
  app.register(clientAddress, { trustProxy: config.trustProxy });
  app.register(traceContext, { startsTraces: config.tracing !== undefined });
  app.register(tracing, { variables: config.tracing, version, exclude: unlogged });
  app.register(requestId, { isTrusted });
  app.register(securityHeaders, {});
  app.register(drain, config.drain);

  // The database
  app.register(database, {
    version,
    shouldMigrate: config.shouldMigrate,
    migrateCommand: commandNames.migrate,
    ...config.database,
    tables,
  });
  app.register(prisma);

  // The features of the service
  app.register(limits, config.limits);
  app.register(apiKeys, config.apiKeys);
  app.register(requestLog, { ...config.requestLog, exclude: unlogged });
  app.register(cors, { origins: config.corsOrigins });
  app.register(loadShedding, { ...config.loadShedding, exempt: ['/livez', '/readyz', '/health', '/metrics'] });
  app.register(keyUsage);
  app.register(quotaEvents);
  app.register(metrics);
  app.register(health);
  app.register(routing);
  app.register(openapi, { version });

  for (const plugin of plugins) app.register(plugin as FastifyPluginAsync);

  // Routes: a new module is a file in routes/ and a line here
  app.register(homeRoutes, { version });
  app.register(probeRoutes, { version });
  app.register(metricsRoutes);
  app.register(meRoutes);
  app.register(apiKeyRoutes);
  app.register(apiKeyEventRoutes);
  app.register(apiKeyImportRoutes);
  app.register(apiKeyExportRoutes);
  app.register(apiKeyVerificationRoutes);
  app.register(ownerLimitRoutes);
  app.register(usageRoutes);
  app.register(forwardAuthRoutes, { isTrusted });
  app.register(requestLogRoutes, { traceUrl: config.traceUrl });
  app.register(requestLogExportRoutes);
  app.register(requestGroupRoutes);
  app.register(requestStatsRoutes);
  app.register(requestLogStreamRoutes);
  app.register(dashboardRoutes, config.dashboard);
  for (const module of routes) app.register(module as FastifyPluginAsync);

  return app;
}

/** Whether a peer is a proxy whose headers about the original request are trusted. */
function trustOf(trustProxy: Config['trustProxy']): (address: string) => boolean {
  if (!Array.isArray(trustProxy)) return () => trustProxy;
  const isProxy = proxyAddr.compile(trustProxy);
  return (address) => isProxy(address, 0);
}
