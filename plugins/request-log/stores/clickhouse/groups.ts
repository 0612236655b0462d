import type { RequestLogFilter } from '../../filter.js';
import { type GroupKind, groupFields, groupsOf, maxGroupedRequests, type RequestGroups } from '../../groups.js';
import type { ClickHouse } from './client.js';
import { conditionOf } from './conditions.js';

type CountedRow = Record<string, string | number | null> & {
  apiKeyId: string;
  count: number;
  firstMs: number;
  lastMs: number;
};

/** Groups the newest `maxGroupedRequests` requests that match. */
export async function readGroups(
  clickHouse: ClickHouse,
  kind: GroupKind,
  filter: RequestLogFilter,
): Promise<RequestGroups> {
  const { text, parameters } = conditionOf(filter);
  const where = kind === 'error' ? `${text} AND statusCode >= 400` : text;
  const [uncounted] = await clickHouse.rows<{ ms: number }>(
    `SELECT toUnixTimestamp64Milli(createdAt) AS ms FROM request_logs WHERE ${where}
     ORDER BY UUIDToNum(id) DESC LIMIT 1 OFFSET ${maxGroupedRequests}`,
    parameters,
  );
  const fields = [...new Set<string>([...groupFields[kind], 'apiKeyId'])];
  const columns = fields.map((field) => (field === 'ownerId' ? 'checkedOwnerId' : field));
  const rows = await clickHouse.rows<CountedRow>(
    `SELECT ${columns}, count() AS count, min(createdAtMs) AS firstMs, max(createdAtMs) AS lastMs
     FROM (
       SELECT ${columns}, toUnixTimestamp64Milli(createdAt) AS createdAtMs FROM request_logs WHERE ${where}
       ORDER BY UUIDToNum(id) DESC LIMIT ${maxGroupedRequests}
     ) GROUP BY ${columns}`,
    parameters,
  );
  const counted = rows.map(({ count, firstMs, lastMs, apiKeyId, checkedOwnerId, ...others }) => ({
    ...others,
    apiKeyId: apiKeyId || null,
    ownerId: (checkedOwnerId as string) || null,
    count,
    firstSeen: new Date(firstMs),
    lastSeen: new Date(lastMs),
  }));
  return groupsOf(kind, counted, uncounted && new Date(uncounted.ms));
}
