import fp from 'fastify-plugin';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { measureDatabase } from './database.js';
import { measureExpiringKeys } from './expiring-keys.js';
import { measureKeys } from './keys.js';
import { measureRequestLog } from './request-log.js';
import { measureRequests } from './requests.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** The registry of `/metrics`. Routes and plugins can register metrics. */
    metrics: Registry;
  }
}

/** Gauges of prom-client whose names end in `_total` like counters. They duplicate gauges by type. */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** Metrics for Prometheus, computed from records and counters when scraped, so that requests do not pay for them. */
export default fp(
  async (app) => {
    const metrics = new Registry();
    app.decorate('metrics', metrics);
    collectDefaultMetrics({ register: metrics });
    for (const name of misnamed) metrics.removeSingleMetric(name);
    measureRequests(app);
    measureKeys(app);
    measureExpiringKeys(app);
    measureRequestLog(app);
    measureDatabase(app);
  },
  { name: 'metrics', dependencies: ['database', 'api-keys', 'request-log', 'quota-events'] },
);
