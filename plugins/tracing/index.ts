import fp from 'fastify-plugin';
import { noTracing, type SpanOptions, type Tracing } from './tracing.js';

declare module 'fastify' {
  interface FastifyInstance {
    tracing: Tracing;
  }
}

export interface TracingOptions extends Omit<SpanOptions, 'variables'> {
  /** The standard variables of OpenTelemetry; undefined: no spans. */
  variables: SpanOptions['variables'] | undefined;
}

/** Sends spans of requests, of their database and Redis calls, and of batches of the request log to an OpenTelemetry collector. */
export default fp<TracingOptions>(
  async (app, { variables, ...options }) => {
    if (variables === undefined) {
      app.decorate('tracing', noTracing);
      return;
    }
    // Loaded on demand, so that a process without spans has none of the packages.
    const { OpenTelemetry } = await import('./open-telemetry.js');
    const openTelemetry = new OpenTelemetry({ ...options, variables }, app.log);
    app.decorate('tracing', openTelemetry);
    app.addHook('onClose', () => openTelemetry.close());
    await openTelemetry.traceRequests(app);
  },
  { name: 'tracing' },
);
