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
    ['statistics of 24 hours', 'stats', `/stats?from=${since(1)}`],
    ['statistics of 30 days', 'stats', `/stats?from=${since(30)}`],
  ];
  return queries.map(([question, kind, path]) => [question, kind, `/v1/request-logs${path}`]);
}
