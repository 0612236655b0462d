export interface Tracing {
  /** Runs `store` in a span of its own, linked to the sampled requests of the records. */
  traceBatch<T>(records: readonly { id: string }[], store: () => Promise<T>): Promise<T>;
}

/** Without OpenTelemetry. */
export const noTracing: Tracing = {
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
