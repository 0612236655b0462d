import type { Context, TextMapGetter } from '@opentelemetry/api';
import { TRACE_PARENT_HEADER, TRACE_STATE_HEADER, W3CTraceContextPropagator } from '@opentelemetry/core';
import { traceparentLength } from '../trace-context.js';

/** The W3C specification asks for no more characters of a `tracestate`. */
const maxStateLength = 512;

/** Reads W3C trace contexts. Of long headers, spans would keep all in memory while they wait. */
export class BoundedPropagator extends W3CTraceContextPropagator {
  override extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
    return super.extract(context, carrier, {
      keys: (from) => getter.keys(from),
      get: (from, name) => bounded(name, getter.get(from, name)),
    });
  }
}

function bounded(name: string, value: string | string[] | undefined) {
  if (name === TRACE_STATE_HEADER && String(value).length > maxStateLength) return undefined;
  const isLong = name === TRACE_PARENT_HEADER && typeof value === 'string' && value.length > traceparentLength;
  // Later versions of the header can have more fields; in version 00 they make it invalid.
  return isLong && !value.startsWith('00') && value[traceparentLength] === '-'
    ? Buffer.from(value.slice(0, traceparentLength)).toString()
    : value;
}
