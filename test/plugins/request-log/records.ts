import { uuidv7 } from 'uuidv7';
import type { RequestRecord } from '../../../plugins/request-log/record.js';

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
