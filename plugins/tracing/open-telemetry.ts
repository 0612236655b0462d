import { createRequire } from 'node:module';
import { format } from 'node:util';
import { FastifyOtelInstrumentation } from '@fastify/otel';
import {
  context,
  DiagLogLevel,
  diag,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { IORedisInstrumentation } from '@opentelemetry/instrumentation-ioredis';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { withDeadline } from '../database/deadline.js';
import { OutageLog } from '../database/outage-log.js';
import { bounded, boundedIp, boundedPath, pathOf } from '../request-log/record.js';
import { spanIdOf } from '../trace-context.js';
import { BoundedPropagator } from './propagator.js';
import { RequestIds } from './request-ids.js';
import { SafeExporter } from './safe-exporter.js';
import type { SpanOptions, Tracing } from './tracing.js';

/** How long the end of the process waits for the last spans. */
const closeDeadlineMs = 1_000;
/** The largest number of sampled requests that wait for their batch. */
const maxSampledRequests = 10_000;
/** How many kinds of warnings have lines of their own. */
const maxWarnings = 20;
/** As many as the specification's default for a span. */
const maxLinks = 128;
/** The methods that the HTTP conventions name. */
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY']);

/**
 * Sends spans to the collector that the variables name. Uses OpenTelemetry's global API and patches the clients
 * once, so a process has one instance in its life.
 */
export class OpenTelemetry implements Tracing {
  private readonly provider: NodeTracerProvider;
  private readonly instrumentations: readonly [FastifyOtelInstrumentation, PgInstrumentation, IORedisInstrumentation];
  private readonly requestIds = new RequestIds();
  private readonly excluded: ReadonlySet<string>;
  /** Links to the spans of sampled requests, by the id of the span. */
  private readonly sampled = new LRUCache<string, Link>({ max: maxSampledRequests });

  constructor({ variables, version, exclude }: SpanOptions, log: FastifyBaseLogger) {
    this.excluded = new Set(exclude);
    this.instrumentations = [
      new FastifyOtelInstrumentation({
        instrumentHooks: false,
        instrumentHandler: false,
        recordExceptions: false,
        ignorePaths: ({ url }) => this.isExcluded(url),
        requestHook: (span, request) => this.describe(span, request),
      }),
      new PgInstrumentation({ requireParentSpan: true }),
      // Without the arguments of commands.
      new IORedisInstrumentation({ dbStatementSerializer: (command) => command }),
    ];
    const scopes = new Set(this.instrumentations.map(({ instrumentationName }) => instrumentationName));
    this.provider = withVariables(
      variables,
      () =>
        new NodeTracerProvider({
          resource: defaultResource()
            .merge(resourceFromAttributes({ 'service.name': 'musicez', 'service.version': version }))
            .merge(detectResources({ detectors: [envDetector] })),
          idGenerator: this.requestIds,
          spanProcessors: [new BatchSpanProcessor(new SafeExporter(new OTLPTraceExporter(), scopes, log))],
        }),
    );
    this.provider.register({ propagator: new BoundedPropagator() });
    for (const instrumentation of this.instrumentations) instrumentation.setTracerProvider(this.provider);
    patchClients();
    logWarnings(log);
  }

  /** Adds a span to each request. */
  async traceRequests(app: FastifyInstance): Promise<void> {
    app.addHook('onRequest', (request, _reply, done) => {
      this.requestIds.requestId = this.isExcluded(request.url) ? undefined : request.id;
      done();
    });
    await app.register(this.instrumentations[0].plugin());
    app.addHook('onRequest', (_request, _reply, done) => {
      this.requestIds.requestId = undefined;
      done();
    });
  }

  async traceBatch<T>(records: readonly { id: string }[], store: () => Promise<T>): Promise<T> {
    const sampledSpanIds = records.map(({ id }) => spanIdOf(id)).filter((spanId) => this.sampled.has(spanId));
    if (sampledSpanIds.length === 0) return store();
    const links = sampledSpanIds.slice(0, maxLinks).map((spanId) => this.sampled.get(spanId) as Link);
    const span = this.provider.getTracer('musicez').startSpan('request_logs batch', {
      root: true,
      links,
      attributes: { 'db.operation.batch.size': records.length },
    });
    try {
      const result = await context.with(trace.setSpan(ROOT_CONTEXT, span), store);
      // Not after a failure, because the batch is sent again.
      for (const spanId of sampledSpanIds) this.sampled.delete(spanId);
      return result;
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      span.setAttribute('error.type', typeOf(error));
      throw error;
    } finally {
      span.end();
    }
  }

  /** Sends the last spans. Waits for a second at most. */
  async close(): Promise<void> {
    await withDeadline(this.provider.shutdown(), closeDeadlineMs).catch(() => {});
    for (const instrumentation of this.instrumentations) instrumentation.disable();
    for (const api of [trace, context, propagation, diag]) api.disable();
  }

  private isExcluded(url: string) {
    return this.excluded.has(pathOf(url));
  }

  /** Adds attributes that @fastify/otel omits, and replaces its name of the span and its `url.path`, which has the query string. */
  private describe(span: Span, request: FastifyRequest) {
    const { method, url, protocol, headers, routeOptions } = request;
    const userAgent = headers['user-agent'];
    const isKnown = methods.has(method);
    span.setAttributes({
      'url.path': boundedPath(url, pathOf(url)),
      'url.scheme': protocol,
      'client.address': boundedIp(request),
      ...(userAgent !== undefined && { 'user_agent.original': bounded(userAgent) }),
      ...(!isKnown && { 'http.request.method': '_OTHER', 'http.request.method_original': method }),
    });
    span.updateName([isKnown ? method : 'HTTP', routeOptions.url].join(' ').trimEnd());
    if (!span.isRecording()) return;
    const { traceId, spanId, traceFlags } = span.spanContext();
    this.sampled.set(spanIdOf(request.id), { context: { traceId, spanId, traceFlags } });
  }
}

/** Sets variables in `process.env` while `create` runs: the SDK reads them only there. Those of `.env` and secrets are otherwise not there. */
function withVariables<T>(variables: Record<string, string>, create: () => T): T {
  const added = Object.keys(variables).filter((name) => process.env[name] === undefined);
  for (const name of added) process.env[name] = variables[name];
  try {
    return create();
  } finally {
    for (const name of added) delete process.env[name];
  }
}

/** Requires the clients once, so that the instrumentations patch them, even if they were imported before. */
function patchClients() {
  const require = createRequire(import.meta.url);
  for (const name of ['pg', 'ioredis']) require(name);
  createRequire(require.resolve('pg'))('pg-pool');
}

/** Logs what OpenTelemetry warns of, such as spans that did not fit into its queue. */
function logWarnings(log: FastifyBaseLogger) {
  // One for each kind of warning, which differ in more than numbers.
  const conditions = new LRUCache<string, OutageLog>({ max: maxWarnings });
  const warn = (...parts: unknown[]) => {
    const message = format(...parts);
    const kind = message.replace(/\d+/g, '');
    const condition = conditions.get(kind) ?? new OutageLog(log);
    conditions.set(kind, condition);
    condition.failed('tracing: a warning of OpenTelemetry', message);
  };
  const ignore = () => {};
  diag.setLogger(
    { error: ignore, warn, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
}

function typeOf(error: unknown): string {
  const { code, name } = Object(error) as { code?: string; name?: string };
  return code ?? name ?? typeof error;
}
