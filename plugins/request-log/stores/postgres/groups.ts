import type { Prisma, PrismaClient } from '../../../prisma/generated/client.js';
import { type GroupKind, groupFields, groupsOf, maxGroupedRequests, type RequestGroups } from '../../groups.js';

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
  const counted = rows.map(({ _count: count, _min: first, _max: last, ...fields }) => ({
    ...fields,
    count,
    firstSeen: first.createdAt as Date,
    lastSeen: last.createdAt as Date,
  }));
  return groupsOf(kind, counted, newestUncounted?.createdAt);
}
