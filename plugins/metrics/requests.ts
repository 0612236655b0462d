import type { FastifyInstance } from 'fastify';
import type { RequestRecord } from '../request-log/record.js';
import { type HistogramSeries, registerHistogram } from './histogram.js';

/** In seconds, as OpenTelemetry recommends. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** @see https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpserverrequestduration */
export function measureRequests({ metrics, requestLog }: FastifyInstance) {
  const createSeries = registerHistogram(metrics, {
    name: 'http_server_request_duration_seconds',
    help: 'Duration of HTTP server requests',
    buckets,
    collect: () => requestLog.emitRecords(),
  });
  // Finding a series by its labels costs more than adding to it, so series are cached by route, method and status.
  const series = new Map<string, Map<string, Map<number, HistogramSeries>>>();

  requestLog.onRecord((records) => {
    for (const record of records) seriesOf(record).observe(record.durationMs / 1000);
  });

  function seriesOf({ method, statusCode, route }: RequestRecord) {
    const found = series.get(route)?.get(method)?.get(statusCode);
    if (found) return found;
    const created = createSeries({
      http_request_method: method,
      // TLS ends at the proxy in front.
      url_scheme: 'http',
      http_response_status_code: statusCode,
      http_route: route,
      // Prometheus treats an empty label as missing.
      error_type: statusCode >= 500 ? statusCode : '',
    });
    const byMethod = series.get(route) ?? new Map();
    const byStatus = byMethod.get(method) ?? new Map();
    series.set(route, byMethod.set(method, byStatus.set(statusCode, created)));
    return created;
  }
}
