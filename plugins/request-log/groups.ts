import type { Prisma, PrismaClient } from '../prisma/generated/client.js';

/** The fields of each kind of group. */
export const groupFields = {
  error: ['method', 'route', 'statusCode'],
  route: ['method', 'route'],
  ip: ['ip'],
  userAgent: ['userAgent'],
  apiKeyId: ['apiKeyId'],
  ownerId: ['ownerId'],
} as const satisfies Record<string, (keyof Prisma.RequestLogGroupByOutputType)[]>;
export type GroupKind = keyof typeof groupFields;

/** Reading more requests takes too long at 20,000,000 rows. */
export const maxGroupedRequests = 5_000;
export const maxGroups = 100;

/** Requests with the same values of the fields of a kind of group. */
export interface RequestGroup
  extends Partial<Pick<Prisma.RequestLogGroupByOutputType, (typeof groupFields)[GroupKind][number]>> {
  count: number;
  firstSeen: Date;
  lastSeen: Date;
  /** How many keys the requests had. */
  keyCount: number;
}

/**
 * Groups the newest `maxGroupedRequests` requests that match.
 *
 * @returns up to `maxGroups` groups, largest first, and `readSince`: only later requests are counted; null when all are
 */
export async function groupsOf(
  prisma: PrismaClient,
  kind: GroupKind,
  where: Omit<Prisma.RequestLogWhereInput, 'id'> & { id: Prisma.StringFilter },
): Promise<{ groups: RequestGroup[]; readSince: Date | null }> {
  const newestUncounted = await prisma.requestLog.findFirst({
    where,
    orderBy: { id: 'desc' },
    skip: maxGroupedRequests,
    select: { id: true, createdAt: true },
  });
  const rows = await prisma.requestLog.groupBy({
    by: [...new Set([...groupFields[kind], 'apiKeyId'] as const)],
    where: { ...where, id: { ...where.id, ...(newestUncounted && { gt: newestUncounted.id }) } },
    _count: true,
    _min: { createdAt: true },
    _max: { createdAt: true },
  });
  const groups = new Map<string, RequestGroup>();
  for (const row of rows) {
    const fields = Object.fromEntries(groupFields[kind].map((field) => [field, row[field]]));
    const name = JSON.stringify(fields);
    const [firstSeen, lastSeen] = [row._min.createdAt as Date, row._max.createdAt as Date];
    const group = groups.get(name) ?? { ...fields, count: 0, firstSeen, lastSeen, keyCount: 0 };
    groups.set(name, group);
    group.count += row._count;
    group.keyCount += row.apiKeyId === null ? 0 : 1;
    if (firstSeen < group.firstSeen) group.firstSeen = firstSeen;
    if (lastSeen > group.lastSeen) group.lastSeen = lastSeen;
  }
  const largest = [...groups.values()].sort((a, b) => b.count - a.count || b.lastSeen.getTime() - a.lastSeen.getTime());
  return { groups: largest.slice(0, maxGroups), readSince: newestUncounted?.createdAt ?? null };
}
