import { type Attributes, SpanKind, type SpanStatus, SpanStatusCode } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-node';
import type { FastifyBaseLogger } from 'fastify';
import { OutageLog } from '../database/outage-log.js';

const delivered = 'tracing: the collector accepts spans again';
const undelivered = 'tracing: the collector does not accept spans, they are dropped';

/**
 * Removes messages of errors from spans before their export, because they can contain data of clients. Sets the status of server spans
 * as the HTTP conventions specify. Logs when the collector does not accept spans.
 */
export class SafeExporter implements SpanExporter {
  private readonly exporter: SpanExporter;
  private readonly cleanedScopes: ReadonlySet<string>;
  private readonly outage: OutageLog;

  /** @param cleanedScopes the names of the instrumentations whose spans are cleaned; those of route modules are exported as they are */
  constructor(exporter: SpanExporter, cleanedScopes: ReadonlySet<string>, log: FastifyBaseLogger) {
    this.exporter = exporter;
    this.cleanedScopes = cleanedScopes;
    this.outage = new OutageLog(log);
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    const safe = spans.map((span) =>
      this.cleanedScopes.has(span.instrumentationScope.name) && needsCleaning(span) ? cleaned(span) : span,
    );
    this.exporter.export(safe, (result) => {
      if (result.code === ExportResultCode.SUCCESS) this.outage.ended(delivered);
      else this.outage.failed(undelivered, result.error, { spans: spans.length });
      done(result);
    });
  }

  forceFlush = () => this.exporter.forceFlush?.() ?? Promise.resolve();
  shutdown = () => this.exporter.shutdown();
}

function needsCleaning(span: ReadableSpan) {
  return span.status.code !== SpanStatusCode.UNSET || span.events.length > 0 || isServerError(span);
}

function isServerError({ kind, attributes }: ReadableSpan) {
  return kind === SpanKind.SERVER && Number(attributes['http.response.status_code']) >= 500;
}

/** A copy: an object with the span as its prototype would double the cost of spans, because V8 gives each prototype a shape of its own. */
function cleaned(span: ReadableSpan): ReadableSpan {
  const { name, kind, startTime, endTime, duration, ended, attributes, links, resource, instrumentationScope } = span;
  const { parentSpanContext, droppedAttributesCount, droppedEventsCount, droppedLinksCount } = span;
  const errorType = isServerError(span) && { 'error.type': String(attributes['http.response.status_code']) };
  return {
    ...{ name, kind, startTime, endTime, duration, ended, links, resource, instrumentationScope },
    ...(parentSpanContext && { parentSpanContext }),
    ...{ droppedAttributesCount, droppedEventsCount, droppedLinksCount },
    spanContext: () => span.spanContext(),
    status: statusOf(span),
    attributes: { ...attributes, ...errorType },
    events: span.events.map((event) => ({ ...event, attributes: typeOnly(event.attributes) })),
  };
}

/** @fastify/otel marks 4xx responses as errors, and does not mark a 5xx response without a route. */
function statusOf(span: ReadableSpan): SpanStatus {
  const isResponse = span.kind === SpanKind.SERVER && span.attributes['http.response.status_code'] !== undefined;
  if (!isResponse) return { code: span.status.code };
  return { code: isServerError(span) ? SpanStatusCode.ERROR : SpanStatusCode.UNSET };
}

function typeOnly(attributes: Attributes = {}): Attributes {
  const { 'exception.type': type } = attributes;
  return type === undefined ? {} : { 'exception.type': type };
}
