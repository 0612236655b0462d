import type { Query } from '../queries.js';
import { busyKey, rareKey } from './fill.js';

const dayMs = 86_400_000;

/**
 * The queries of the request log.
 *
 * @param middle an id from the middle of the log
 * @param pathOfMany a path of a route that has many paths
 */
export function logQueries({ middle, pathOfMany }: { middle: string; pathOfMany: string }): Query[] {
  const since = (days: number) => new Date(Date.now() - days * dayMs).toISOString();
  const day = `from=${since(2)}&to=${since(1)}`;
  const queries: Query[] = [
    ['newest page', 'page', '?'],
    ['page of a busy path', 'page', '?path=/v1/me'],
    ['page of a path of many', 'page', `?path=${pathOfMany}`],
    ['page of a busy route', 'page', '?route=/v1/customers/:id'],
    ['page of a rare route', 'page', '?route=/v1/refunds'],
    ['page of a frequent status', 'page', '?statusCode=404'],
    ['page of a rare status', 'page', '?statusCode=503'],
    ['page of a busy key', 'page', `?apiKeyId=${busyKey}`],
    ['page of a rare key', 'page', `?apiKeyId=${rareKey}`],
    ['deep page', 'page', `?cursor=${middle}`],
    ['deep page of a busy path', 'page', `?path=/v1/me&cursor=${middle}`],
    ['page of slow requests of a day', 'page', `?minDuration=2000&from=${since(2)}&to=${since(1)}`],
    ['newest page, without management', 'page', '?excludeManagement=true'],
    ['page of a class of statuses', 'page', '?statusCode=5xx'],
    ['prefix of a path, of a day', 'search', `?pathPrefix=/v1/refunds&${day}`],
    ['part of a path, of a day', 'search', `?pathPart=refund&${day}`],
    ['range of durations, of a day', 'search', `?minDuration=380&maxDuration=400&${day}`],
    ['address, of a day', 'search', `?ip=10.0.0.7&${day}`],
    ['user agent, of a day', 'search', `?userAgent=okhttp&${day}`],
    ['slowest of a day', 'search', `?sort=slowest&${day}`],
    ['slowest of a rare route, of a day', 'search', `?sort=slowest&route=/v1/refunds&${day}`],
    ['groups of errors, of a day', 'search', `/groups?by=error&${day}`],
    ['top addresses, of a day', 'search', `/groups?by=ip&${day}`],
    ['top user agents, of a day', 'search', `/groups?by=userAgent&${day}`],
    ['exact statistics of 24 hours', 'stats', `/stats?exact=true&from=${since(1)}`],
    ['exact statistics of 7 days', 'stats', `/stats?exact=true&from=${since(7)}`],
    ['statistics of 24 hours', 'stats', `/stats?from=${since(1)}`],
    ['statistics of 30 days', 'stats', `/stats?from=${since(30)}`],
  ];
  return queries.map(([question, kind, path]) => [question, kind, `/v1/request-logs${path}`]);
}
