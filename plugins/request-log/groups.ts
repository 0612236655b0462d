import type { RequestLogRow } from './row.js';

/** The fields of each kind of group. */
export const groupFields = {
  error: ['method', 'route', 'statusCode'],
  route: ['method', 'route'],
  ip: ['ip'],
  userAgent: ['userAgent'],
  apiKeyId: ['apiKeyId'],
  ownerId: ['ownerId'],
} as const satisfies Record<string, (keyof RequestLogRow)[]>;
export type GroupKind = keyof typeof groupFields;

/** Reading more requests takes too long at 20,000,000 rows. */
export const maxGroupedRequests = 5_000;
export const maxGroups = 100;

/** Requests with the same values of the fields of a kind of group. */
export interface RequestGroup extends Partial<Pick<RequestLogRow, (typeof groupFields)[GroupKind][number]>> {
  count: number;
  firstSeen: Date;
  lastSeen: Date;
  /** How many keys the requests had. */
  keyCount: number;
}

export interface RequestGroups {
  /** Up to `maxGroups`, largest first. */
  groups: RequestGroup[];
  /** Only requests after this time are counted; null when all are. */
  readSince: Date | null;
}

/** Requests with the same fields and the same key. */
export type CountedRequests = Partial<RequestLogRow> & { count: number; firstSeen: Date; lastSeen: Date };

/** @param newestUncounted the time of the newest request that `rows` do not count */
export function groupsOf(
  kind: GroupKind,
  rows: readonly CountedRequests[],
  newestUncounted: Date | undefined,
): RequestGroups {
  const groups = new Map<string, RequestGroup>();
  for (const row of rows) {
    const fields = Object.fromEntries(groupFields[kind].map((field) => [field, row[field]]));
    const name = JSON.stringify(fields);
    const { count, firstSeen, lastSeen } = row;
    const group = groups.get(name) ?? { ...fields, count: 0, firstSeen, lastSeen, keyCount: 0 };
    groups.set(name, group);
    group.count += count;
    group.keyCount += row.apiKeyId === null ? 0 : 1;
    if (firstSeen < group.firstSeen) group.firstSeen = firstSeen;
    if (lastSeen > group.lastSeen) group.lastSeen = lastSeen;
  }
  const largest = [...groups.values()].sort((a, b) => b.count - a.count || b.lastSeen.getTime() - a.lastSeen.getTime());
  return { groups: largest.slice(0, maxGroups), readSince: newestUncounted ?? null };
}
