import type { FastifyBaseLogger, FastifyRequest } from 'fastify';
import { OutageLog } from '../database/outage-log.js';
import { traceFieldsOf, traceIdOf } from '../trace-context.js';

const quietAfterMs = 60_000;

/** Method and route, without data of the client. */
export function logFieldsOf({ method, routeOptions }: FastifyRequest) {
  return { method, route: routeOptions.url };
}

/** Logs requests that fail because the database is not available, as one condition. It ends when none has failed for a minute. */
export class FailedRequests {
  private readonly outage: OutageLog;
  private readonly quietAfterMs: number;
  private timer: NodeJS.Timeout | undefined;

  constructor(log: FastifyBaseLogger, quietMs = quietAfterMs) {
    this.outage = new OutageLog(log);
    this.quietAfterMs = quietMs;
  }

  add(request: FastifyRequest, error: unknown): void {
    const { id } = request;
    const fields = { requestId: id, ...traceFieldsOf(traceIdOf(request), id), ...logFieldsOf(request) };
    this.outage.failed('requests fail: the database is not available', error, fields);
    this.timer ??= setTimeout(() => this.end(), this.quietAfterMs).unref();
    this.timer.refresh();
  }

  private end() {
    this.timer = undefined;
    this.outage.ended('requests: none has failed for a minute');
  }
}
