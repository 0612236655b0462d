import { type Attributes, SpanKind, type SpanStatus, SpanStatusCode } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-node';
import type { FastifyBaseLogger } from 'fastify';
import { OutageLog } from '../database/outage-log.js';

const delivered = 'tracing: the collector accepts spans again';
const undelivered = 'tracing: the collector does not accept spans, they are dropped';

/** Passes spans on without messages of errors, and logs when they do not reach the collector. */
export class SafeExporter implements SpanExporter {
  private readonly exporter: SpanExporter;
  private readonly scopes: ReadonlySet<string>;
  private readonly outage: OutageLog;

  /** @param scopes the instrumentations whose spans have no messages */
  constructor(exporter: SpanExporter, scopes: ReadonlySet<string>, log: FastifyBaseLogger) {
    this.exporter = exporter;
    this.scopes = scopes;
    this.outage = new OutageLog(log);
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    const safe = spans.map((span) => (this.canHaveMessages(span) ? withoutMessages(span) : span));
    this.exporter.export(safe, (result) => {
      if (result.code === ExportResultCode.SUCCESS) this.outage.ended(delivered);
      else this.outage.failed(undelivered, result.error, { spans: spans.length });
      done(result);
    });
  }

  private canHaveMessages({ status, events, instrumentationScope }: ReadableSpan) {
    return (status.code !== SpanStatusCode.UNSET || events.length > 0) && this.scopes.has(instrumentationScope.name);
  }

  forceFlush = () => this.exporter.forceFlush?.() ?? Promise.resolve();
  shutdown = () => this.exporter.shutdown();
}

/** Messages of errors can contain values of the client. */
function withoutMessages(span: ReadableSpan): ReadableSpan {
  const status = statusOf(span);
  const { name, kind, startTime, endTime, duration, ended, attributes, links, resource, instrumentationScope } = span;
  const { parentSpanContext, droppedAttributesCount, droppedEventsCount, droppedLinksCount } = span;
  return {
    ...{ name, kind, startTime, endTime, duration, ended, attributes, links, resource, instrumentationScope },
    ...(parentSpanContext && { parentSpanContext }),
    ...{ droppedAttributesCount, droppedEventsCount, droppedLinksCount },
    spanContext: () => span.spanContext(),
    status,
    events: span.events.map((event) => ({ ...event, attributes: typeOnly(event.attributes) })),
  };
}

/** @fastify/otel makes each denied request an error. By the conventions, only those from 500 are errors of a server. */
function statusOf({ kind, status, attributes }: ReadableSpan): SpanStatus {
  const isDenied = kind === SpanKind.SERVER && Number(attributes['http.response.status_code']) < 500;
  return { code: isDenied ? SpanStatusCode.UNSET : status.code };
}

function typeOnly(attributes: Attributes = {}): Attributes {
  const { 'exception.type': type } = attributes;
  return type === undefined ? {} : { 'exception.type': type };
}
