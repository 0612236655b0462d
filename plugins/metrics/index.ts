import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { RequestRecord } from '../request-log/record.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** What `/metrics` tells. Routes and plugins may register more. */
    metrics: Registry;
  }
}

/** As OpenTelemetry advises, in seconds. */
const requestBuckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const flushBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];

/** Gauges that prom-client names as if they were counters; without `_total` they say the same by type. */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** Metrics for Prometheus. Nothing is measured in a request: all of it is derived from records and counts. */
export default fp(
  async (app) => {
    const metrics = new Registry();
    app.decorate('metrics', metrics);
    collectDefaultMetrics({ register: metrics });
    for (const name of misnamed) metrics.removeSingleMetric(name);
    measureRequests(app, metrics);
    measureKeys(app, metrics);
    measureLog(app, metrics);
    measurePool(app, metrics);
  },
  { name: 'metrics', dependencies: ['database', 'api-keys', 'request-log'] },
);

/** @see https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpserverrequestduration */
function measureRequests(app: FastifyInstance, metrics: Registry) {
  const histogram = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Duration of HTTP server requests',
    labelNames: ['http_request_method', 'url_scheme', 'http_response_status_code', 'http_route', 'error_type'] as const,
    buckets: requestBuckets,
    registers: [metrics],
    collect: () => app.requestLog.tellRecords(),
  });
  // Finding a series by its labels costs more than adding to it, and so does putting a name for it together.
  const series = new Map<string, Map<string, Map<number, ReturnType<typeof histogram.labels>>>>();

  app.requestLog.onRecords((records) => {
    for (const record of records) seriesOf(record).observe(record.durationMs / 1000);
  });

  function seriesOf({ method, statusCode, route }: RequestRecord) {
    const found = series.get(route)?.get(method)?.get(statusCode);
    if (found) return found;
    const made = histogram.labels({
      http_request_method: method,
      // TLS is for whatever is in front.
      url_scheme: 'http',
      http_response_status_code: statusCode,
      http_route: route,
      // An empty label is none.
      error_type: statusCode >= 500 ? statusCode : '',
    });
    const ofRoute = series.get(route) ?? new Map();
    const ofMethod = ofRoute.get(method) ?? new Map();
    series.set(route, ofRoute.set(method, ofMethod.set(statusCode, made)));
    return made;
  }
}

function measureKeys(app: FastifyInstance, metrics: Registry) {
  const { apiKeys } = app;
  const registers = [metrics];
  new Counter({
    name: 'musicez_key_verifications_total',
    help: 'API keys judged, by outcome',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset();
      for (const [outcome, count] of Object.entries(apiKeys.outcomes))
        this.inc({ outcome: outcome.toLowerCase() }, count);
    },
  });
  new Counter({
    name: 'musicez_key_cache_hits_total',
    help: 'API keys found in memory',
    registers,
    collect() {
      this.reset();
      this.inc(apiKeys.cache.counts.hits);
    },
  });
  new Counter({
    name: 'musicez_key_cache_lookups_total',
    help: 'API keys for which the database was asked',
    registers,
    collect() {
      this.reset();
      this.inc(apiKeys.cache.counts.lookups);
    },
  });
  new Gauge({
    name: 'musicez_key_cache_entries',
    help: 'API keys in memory',
    registers,
    collect() {
      this.set(apiKeys.cache.entries);
    },
  });
  new Gauge({
    name: 'musicez_key_listener_hears',
    help: 'Whether changes of keys made elsewhere are heard of at once',
    registers,
    collect() {
      this.set(apiKeys.cache.hearsChanges ? 1 : 0);
    },
  });
  new Gauge({
    name: 'musicez_key_listener_age_seconds',
    help: 'Time since the last heartbeat that was heard; +Inf if none ever was',
    registers,
    collect() {
      this.set((performance.now() - apiKeys.cache.heardUntil) / 1000);
    },
  });
}

function measureLog(app: FastifyInstance, metrics: Registry) {
  const { requestLog } = app;
  const registers = [metrics];
  new Counter({
    name: 'musicez_request_log_records_total',
    help: 'Records of requests, by fate: accepted = written + dropped + those in buffer and spool',
    labelNames: ['fate'],
    registers,
    collect() {
      const { accepted, written, dropped } = requestLog.counts;
      this.reset();
      this.inc({ fate: 'accepted' }, accepted);
      this.inc({ fate: 'written' }, written);
      this.inc({ fate: 'dropped' }, dropped);
    },
  });
  new Gauge({
    name: 'musicez_request_log_buffered_records',
    help: 'Records in memory, those on their way to the database included',
    registers,
    collect() {
      this.set(requestLog.counts.buffered);
    },
  });
  new Gauge({
    name: 'musicez_request_log_spooled_records',
    help: 'Records on disk that the database has not confirmed',
    registers,
    collect() {
      this.set(requestLog.counts.spooled);
    },
  });
  new Gauge({
    name: 'musicez_request_log_spool_bytes',
    help: 'Size of the spool on disk',
    registers,
    collect() {
      this.set(requestLog.spoolBytes);
    },
  });
  new Gauge({
    name: 'musicez_request_log_spool_max_bytes',
    help: 'Size to which the spool may grow',
    registers,
  }).set(requestLog.spoolMaxBytes);
  const flushes = new Histogram({
    name: 'musicez_request_log_flush_duration_seconds',
    help: 'Time that the database took for a batch of records',
    buckets: flushBuckets,
    registers,
  });
  requestLog.onBatch((_records, seconds) => flushes.observe(seconds));
}

function measurePool(app: FastifyInstance, metrics: Registry) {
  const { pool } = app.database;
  new Gauge({
    name: 'musicez_database_connections',
    help: 'Connections of the pool, by state',
    labelNames: ['state'],
    registers: [metrics],
    collect() {
      this.set({ state: 'idle' }, pool.idleCount);
      this.set({ state: 'used' }, pool.totalCount - pool.idleCount);
    },
  });
  new Gauge({
    name: 'musicez_database_waiting_queries',
    help: 'Queries that wait for a connection of the pool',
    registers: [metrics],
    collect() {
      this.set(pool.waitingCount);
    },
  });
}
