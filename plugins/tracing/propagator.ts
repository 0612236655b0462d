import type { Context, TextMapGetter } from '@opentelemetry/api';
import { TRACE_STATE_HEADER, W3CTraceContextPropagator } from '@opentelemetry/core';

/** The W3C specification asks for no more characters of a `tracestate`. */
const maxStateLength = 512;

/** Reads W3C trace contexts. Ignores a long `tracestate`, which each waiting span would keep in memory. */
export class BoundedPropagator extends W3CTraceContextPropagator {
  override extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
    return super.extract(context, carrier, {
      keys: (from) => getter.keys(from),
      get(from, name) {
        const value = getter.get(from, name);
        return name === TRACE_STATE_HEADER && String(value).length > maxStateLength ? undefined : value;
      },
    });
  }
}
