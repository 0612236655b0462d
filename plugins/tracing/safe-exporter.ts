import { type Attributes, SpanKind, type SpanStatus, SpanStatusCode } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-node';
import type { FastifyBaseLogger } from 'fastify';
import { OutageLog } from '../database/outage-log.js';

const delivered = 'tracing: the collector accepts spans again';
const undelivered = 'tracing: the collector does not accept spans, they are dropped';

/**
 * Removes messages of errors from spans before their export, because they can contain data of clients. Logs when the collector does not
 * accept spans.
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
    const safe = spans.map((span) => (this.canHaveMessages(span) ? withoutMessages(span) : span));
    this.exporter.export(safe, (result) => {
      if (result.code === ExportResultCode.SUCCESS) this.outage.ended(delivered);
      else this.outage.failed(undelivered, result.error, { spans: spans.length });
      done(result);
    });
  }

  private canHaveMessages({ status, events, instrumentationScope }: ReadableSpan) {
    return (
      (status.code !== SpanStatusCode.UNSET || events.length > 0) && this.cleanedScopes.has(instrumentationScope.name)
    );
  }

  forceFlush = () => this.exporter.forceFlush?.() ?? Promise.resolve();
  shutdown = () => this.exporter.shutdown();
}

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

/** @fastify/otel marks 4xx responses as errors. By the HTTP conventions, only 5xx are errors of a server span. */
function statusOf({ kind, status, attributes }: ReadableSpan): SpanStatus {
  const isBelow500 = kind === SpanKind.SERVER && Number(attributes['http.response.status_code']) < 500;
  return { code: isBelow500 ? SpanStatusCode.UNSET : status.code };
}

function typeOnly(attributes: Attributes = {}): Attributes {
  const { 'exception.type': type } = attributes;
  return type === undefined ? {} : { 'exception.type': type };
}
