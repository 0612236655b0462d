import type { Prisma, PrismaClient } from '../../../prisma/generated/client.js';
import {
  type GroupKind,
  groupFields,
  maxGroupedRequests,
  maxGroups,
  type RequestGroup,
  type RequestGroups,
} from '../../groups.js';

/** Groups the newest `maxGroupedRequests` requests that match. */
export async function readGroups(
  prisma: PrismaClient,
  kind: GroupKind,
  conditions: Omit<Prisma.RequestLogWhereInput, 'id'> & { id: Prisma.StringFilter },
): Promise<RequestGroups> {
  const failed = { AND: [conditions.AND ?? [], { statusCode: { gte: 400 } }].flat() };
  const where = { ...conditions, ...(kind === 'error' && failed) };
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
