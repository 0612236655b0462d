import { uuidv7 } from 'uuidv7';
import type { RequestRecord } from '../../../plugins/request-log/record.js';

/** A record of a request that was just answered, with these fields and others that do not matter. */
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
    ...fields,
  };
}
