export interface Tracing {
  /** Runs work that a request starts and that is not a part of it: its spans are not children of the request's span. */
  detached<T>(work: () => T): T;
  /** Runs `store` in a span of its own, linked to the sampled requests of the records. */
  traceBatch<T>(records: readonly { id: string }[], store: () => Promise<T>): Promise<T>;
}

/** Without OpenTelemetry. */
export const noTracing: Tracing = {
  detached: (work) => work(),
  traceBatch: (_records, store) => store(),
};

export interface SpanOptions {
  /** The standard variables, such as `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  variables: Record<string, string>;
  /** The version of the service. */
  version: string;
  /** Paths whose requests have no spans. */
  exclude: readonly string[];
}
