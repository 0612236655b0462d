import type { FastifyBaseLogger } from 'fastify';
import { uuidv7 } from 'uuidv7';
import type { DatabaseHandle } from '../../../plugins/database/index.js';
import type { QuotaCounter } from '../../../plugins/limits/quota-counter.js';
import type { RequestRecord } from '../../../plugins/request-log/record.js';
import { BatchStore } from '../../../plugins/request-log/stores/postgres/batch-store.js';

/** Creates a record of a request that has just completed, with these fields and defaults for the others. */
export function record(fields: Partial<RequestRecord> = {}): RequestRecord {
  return {
    id: uuidv7(),
    method: 'GET',
    path: '/',
    route: '/',
    statusCode: 200,
    durationMs: 1,
    ip: '',
    userAgent: null,
    apiKeyId: null,
    ownerId: null,
    outcome: null,
    verification: null,
    charges: [],
    traceId: null,
    ...fields,
  };
}

/** Creates the part of `PostgresStore` that `RequestLogWriter` uses. */
export function writerStore(database: DatabaseHandle, log: FastifyBaseLogger, quotas?: Pick<QuotaCounter, 'settle'>) {
  const batches = new BatchStore(database, log, quotas);
  return {
    get isReady() {
      return database.isReady;
    },
    ready: database.ready,
    write: batches.write.bind(batches),
  };
}
