import { canonicalAddress } from '../../../client-address.js';
import { firstIdAt } from '../../../time-ordered-id.js';
import type { RequestLogFilter } from '../../filter.js';
import { managementRoutes } from '../../management.js';
import type { Piece } from '../../stats-range.js';
import { statusRangeOf } from '../../status-range.js';
import type { Parameters } from './client.js';

/** A condition in SQL, and the values of its parameters. */
export interface Condition {
  text: string;
  parameters: Parameters;
}

/** A filter as a condition. Conditions on the id use the primary key, and those on the time leave out partitions. */
export function conditionOf(filter: RequestLogFilter, before?: string): Condition {
  const { from, to, method, path, pathPrefix, pathPart, route, statusCode, minDuration, maxDuration } = filter;
  const { apiKeyId, hasKey, verifiedApiKeyId, ownerId, traceId, userAgent, excludeManagement } = filter;
  const ip = filter.ip && (canonicalAddress(filter.ip) ?? filter.ip);
  const statuses = statusCode === undefined ? undefined : statusRangeOf(statusCode);
  const conditions: string[] = [];
  const parameters: Parameters = {};
  const add = (value: string | number | undefined, name: string, text: string) => {
    if (value === undefined || value === '') return;
    conditions.push(text);
    parameters[name] = value;
  };
  if (from) {
    add(firstIdAt(new Date(from)), 'fromId', 'UUIDToNum(id) >= UUIDStringToNum({fromId:String})');
    add(timeOf(from), 'from', "createdAt >= parseDateTime64BestEffort({from:String}, 3, 'UTC')");
  }
  if (to) {
    add(firstIdAt(new Date(to)), 'toId', 'UUIDToNum(id) < UUIDStringToNum({toId:String})');
    add(timeOf(to), 'to', "createdAt < parseDateTime64BestEffort({to:String}, 3, 'UTC')");
  }
  add(before, 'before', 'UUIDToNum(id) < UUIDStringToNum({before:String})');
  add(method, 'method', 'method = {method:String}');
  add(path, 'path', 'path = {path:String}');
  add(pathPrefix, 'pathPrefix', 'startsWith(path, {pathPrefix:String})');
  add(pathPart, 'pathPart', 'position(path, {pathPart:String}) > 0');
  if (route !== undefined) {
    conditions.push('route = {route:String}');
    parameters.route = route;
  }
  add(statuses?.lowest, 'lowest', 'statusCode >= {lowest:Int32}');
  add(statuses?.highest, 'highest', 'statusCode <= {highest:Int32}');
  add(minDuration, 'minDuration', 'duration >= {minDuration:Int64}');
  add(maxDuration, 'maxDuration', 'duration <= {maxDuration:Int64}');
  add(apiKeyId, 'apiKeyId', 'apiKeyId = {apiKeyId:String}');
  if (hasKey !== undefined) conditions.push(`apiKeyId ${hasKey ? '!=' : '='} ''`);
  add(verifiedApiKeyId, 'verifiedApiKeyId', 'verifiedApiKeyId = {verifiedApiKeyId:String}');
  add(ownerId, 'ownerId', 'checkedOwnerId = {ownerId:String}');
  add(traceId, 'traceId', 'traceId = {traceId:String}');
  add(ip, 'ip', 'ip = {ip:String}');
  add(userAgent, 'userAgent', "positionCaseInsensitiveUTF8(ifNull(userAgent, ''), {userAgent:String}) > 0");
  if (excludeManagement) conditions.push(`(method != 'GET' OR NOT ${isManagementRoute})`);
  return { text: conditions.join(' AND ') || '1', parameters };
}

/** Of the routes of the management API and those below them. */
export const isManagementRoute = `(${managementRoutes
  .map((start) => `route = '${start}' OR startsWith(route, '${start}/')`)
  .join(' OR ')})`;

/** The condition for the columns `period` and `start` of statistics. */
export function conditionOfPieces(pieces: readonly Piece[]): string {
  const seconds = (time: Date) => Math.floor(time.getTime() / 1_000);
  const conditions = pieces.map(
    ({ period, from, to }) => `(period = ${period} AND start >= ${seconds(from)} AND start < ${seconds(to)})`,
  );
  return `(${conditions.join(' OR ') || '0'})`;
}

function timeOf(time: string) {
  return new Date(time).toISOString();
}
