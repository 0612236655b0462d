import { type IdGenerator, RandomIdGenerator } from '@opentelemetry/sdk-trace-node';
import { newTraceIdOf, spanIdOf } from '../trace-context.js';

/** Gives the span of a request the ids that its log lines and its row have. All other ids are random. */
export class RequestIds implements IdGenerator {
  private readonly random = new RandomIdGenerator();
  /** The request whose span is being created. */
  requestId: string | undefined;

  generateTraceId = () => (this.requestId === undefined ? this.random.generateTraceId() : newTraceIdOf(this.requestId));
  generateSpanId = () => (this.requestId === undefined ? this.random.generateSpanId() : spanIdOf(this.requestId));
}
