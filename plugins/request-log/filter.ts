import { canonicalAddress } from '../client-address.js';
import { isManagementRead } from './management.js';
import { checkedKeyOf, type RequestRecord } from './record.js';
import { statusRangeOf } from './status-range.js';

/** A request must match all of the given fields. */
export interface RequestLogFilter {
  /** Arrived at this time or later: ISO 8601. */
  from?: string | undefined;
  /** Arrived before this time: ISO 8601. */
  to?: string | undefined;
  method?: string | undefined;
  /** Without the query string. */
  path?: string | undefined;
  pathPrefix?: string | undefined;
  pathPart?: string | undefined;
  /** The template of the path; empty: no route matched. */
  route?: string | undefined;
  /** A status, a class such as `5xx`, or a bound such as `>=400`. */
  statusCode?: number | string | undefined;
  /** Milliseconds, inclusive. */
  minDuration?: number | undefined;
  /** Milliseconds, inclusive. */
  maxDuration?: number | undefined;
  apiKeyId?: string | undefined;
  hasKey?: boolean | undefined;
  verifiedApiKeyId?: string | undefined;
  /** The owner of the verified key when the request verified one, otherwise of its own key. */
  ownerId?: string | undefined;
  /** An address in any form. */
  ip?: string | undefined;
  /** A part of the user agent, in any case. */
  userAgent?: string | undefined;
  traceId?: string | undefined;
  /** Whether to leave out `GET` requests for the dashboard, `/health` and the management API. */
  excludeManagement?: boolean | undefined;
}

/** Creates a predicate for records of the live stream. `from` and `to` do not apply: the records have just arrived. */
export function matcherOf(filter: Omit<RequestLogFilter, 'from' | 'to'>): (record: RequestRecord) => boolean {
  const { method, path, pathPrefix, pathPart, route, minDuration, maxDuration } = filter;
  const { apiKeyId, hasKey, verifiedApiKeyId, ownerId, traceId, excludeManagement } = filter;
  const statuses = filter.statusCode === undefined ? undefined : statusRangeOf(filter.statusCode);
  const ip = filter.ip && (canonicalAddress(filter.ip) ?? filter.ip);
  const userAgent = filter.userAgent?.toLowerCase();
  return (record) =>
    (method === undefined || record.method === method) &&
    (!path || record.path === path) &&
    (pathPrefix === undefined || record.path.startsWith(pathPrefix)) &&
    (pathPart === undefined || record.path.includes(pathPart)) &&
    (route === undefined || record.route === route) &&
    (statuses === undefined || (record.statusCode >= statuses.lowest && record.statusCode <= statuses.highest)) &&
    (minDuration === undefined || Math.round(record.durationMs) >= minDuration) &&
    (maxDuration === undefined || Math.round(record.durationMs) <= maxDuration) &&
    (apiKeyId === undefined || record.apiKeyId === apiKeyId) &&
    (hasKey === undefined || (record.apiKeyId !== null) === hasKey) &&
    (verifiedApiKeyId === undefined || record.verification?.apiKeyId === verifiedApiKeyId) &&
    (ownerId === undefined || checkedKeyOf(record).ownerId === ownerId) &&
    (traceId === undefined || record.traceId === traceId) &&
    (ip === undefined || record.ip === ip) &&
    (userAgent === undefined || (record.userAgent ?? '').toLowerCase().includes(userAgent)) &&
    !(excludeManagement && isManagementRead(record));
}
