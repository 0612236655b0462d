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
    const safe = spans.map((span) => (this.cleanedScopes.has(span.instrumentationScope.name) ? cleaned(span) : span));
    this.exporter.export(safe, (result) => {
      if (result.code === ExportResultCode.SUCCESS) this.outage.ended(delivered);
      else this.outage.failed(undelivered, result.error, { spans: spans.length });
      done(result);
    });
  }

  forceFlush = () => this.exporter.forceFlush?.() ?? Promise.resolve();
  shutdown = () => this.exporter.shutdown();
}

function cleaned(span: ReadableSpan): ReadableSpan {
  const { kind, attributes, events } = span;
  const status = attributes['http.response.status_code'];
  const isServerError = kind === SpanKind.SERVER && Number(status) >= 500;
  return Object.create(span, {
    status: { value: statusOf(span, isServerError) },
    attributes: { value: isServerError ? { 'error.type': String(status), ...attributes } : attributes },
    events: { value: events.map((event) => ({ ...event, attributes: typeOnly(event.attributes) })) },
  });
}

/** @fastify/otel has marked 4xx responses as errors, and not each 5xx response. */
function statusOf({ kind, status, attributes }: ReadableSpan, isServerError: boolean): SpanStatus {
  const isResponse = kind === SpanKind.SERVER && attributes['http.response.status_code'] !== undefined;
  if (!isResponse) return { code: status.code };
  return { code: isServerError ? SpanStatusCode.ERROR : SpanStatusCode.UNSET };
}

function typeOnly(attributes: Attributes = {}): Attributes {
  const { 'exception.type': type } = attributes;
  return type === undefined ? {} : { 'exception.type': type };
}
