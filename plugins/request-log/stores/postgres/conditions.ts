import { canonicalAddress } from '../../../client-address.js';
import { firstIdAt } from '../../../time-ordered-id.js';
import type { RequestLogFilter } from '../../filter.js';
import { managementRoutes } from '../../management.js';
import { statusRangeOf } from '../../status-range.js';

/**
 * Creates the Prisma condition of a filter. Ids start with the time, so a range of time is a range of the primary key: `from` is
 * inclusive, `to` exclusive.
 *
 * @param before only rows with lower ids
 */
export function conditionsOf(filter: RequestLogFilter, before?: string) {
  const { from, to, method, path, pathPrefix, pathPart, route, statusCode, minDuration, maxDuration } = filter;
  const { apiKeyId, hasKey, verifiedApiKeyId, ownerId, ip, userAgent, traceId, excludeManagement } = filter;
  const end = [before, to && firstIdAt(new Date(to))].filter((id) => id !== undefined).sort()[0];
  const paths = [
    ...(path ? [{ path }] : []),
    ...(pathPrefix ? [{ path: { startsWith: escapedPattern(pathPrefix) } }] : []),
    ...(pathPart ? [{ path: { contains: escapedPattern(pathPart) } }] : []),
    ...(excludeManagement
      ? [{ OR: [{ method: { not: 'GET' } }, { route: null }, { NOT: { OR: managementConditions } }] }]
      : []),
  ];
  const keys = [
    ...(apiKeyId ? [{ apiKeyId }] : []),
    ...(hasKey === undefined ? [] : [{ apiKeyId: hasKey ? { not: null } : null }]),
  ];
  return {
    id: { ...(from && { gte: firstIdAt(new Date(from)) }), ...(end && { lt: end }) },
    ...(paths.length + keys.length > 0 && { AND: [...paths, ...keys] }),
    ...(method && { method }),
    ...(route !== undefined && { route }),
    ...(statusCode !== undefined && { statusCode: statusConditionOf(statusCode) }),
    ...((minDuration || maxDuration !== undefined) && {
      duration: { ...(minDuration && { gte: minDuration }), ...(maxDuration !== undefined && { lte: maxDuration }) },
    }),
    ...(verifiedApiKeyId && { verifiedApiKeyId }),
    ...(ownerId && { ownerId }),
    ...(traceId && { traceId }),
    ...(ip && { ip: canonicalAddress(ip) ?? ip }),
    ...(userAgent && { userAgent: { contains: escapedPattern(userAgent), mode: 'insensitive' as const } }),
  };
}

const managementConditions = managementRoutes.flatMap((start) => [
  { route: start },
  { route: { startsWith: `${start}/` } },
]);

function statusConditionOf(filter: number | string) {
  const { lowest, highest } = statusRangeOf(filter);
  return lowest === highest ? lowest : { gte: lowest, lte: highest };
}

/** Escapes `%`, `_` and the backslash, which Prisma passes to LIKE. */
function escapedPattern(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
