import type { Query } from '../api.js';
import { isManagementHidden } from '../management-switch.js';
import { routeOf } from '../route.js';
import { serverNow } from '../server-clock.js';
import { endsOf, queryOfRange, rangeIn, type TimeRange } from '../time/range.js';
import { type Choice, type UrlState, urlState } from '../url-state.js';

/** The filters besides the time, by their names in the API. */
export const filterNames = [
  'method',
  'path',
  'pathPrefix',
  'pathPart',
  'route',
  'statusCode',
  'minDuration',
  'maxDuration',
  'apiKeyId',
  'hasKey',
  'verifiedApiKeyId',
  'ownerId',
  'ip',
  'userAgent',
  'traceId',
] as const;
export type FilterName = (typeof filterNames)[number];
export type Filter = Partial<Record<FilterName, string>>;

/** What the list shows. */
export interface ListQuery {
  filter: Filter;
  /** Undefined: any time. */
  range: TimeRange | undefined;
  isSlowestFirst: boolean;
  excludeManagement: boolean;
}

/** Filters that read all rows of a range, so that they need one. */
const scanning: FilterName[] = ['pathPrefix', 'pathPart', 'userAgent', 'maxDuration'];
const defaultRange: TimeRange = { preset: '24h' };

export function listQueryIn(state: UrlState): ListQuery {
  const { params } = state;
  const query = {
    filter: Object.fromEntries(filterNames.filter((name) => params[name]).map((name) => [name, params[name]])),
    isSlowestFirst: params.sort === 'slowest',
    excludeManagement: isManagementHidden(state),
  };
  return { ...query, range: rangeIn(state) ?? (needsRange(query) ? defaultRange : undefined) };
}

/** Whether reading the whole log for the query would take too long. */
export function needsRange({ filter, isSlowestFirst }: Pick<ListQuery, 'filter' | 'isSlowestFirst'>): boolean {
  return isSlowestFirst || scanning.some((name) => filter[name]);
}

/** The query of the list. */
export function queryOf(query: ListQuery): Query {
  const { range, isSlowestFirst } = query;
  const from = needsRange(query) && new Date(endsOf(range ?? defaultRange, serverNow()).from).toISOString();
  return {
    ...liveQuery(query),
    ...(range && queryOfRange(range, serverNow())),
    ...(from && { from }),
    ...(isSlowestFirst && { sort: 'slowest' }),
  };
}

/** The query of the stream, which has no range of time. */
export function liveQuery({ filter, excludeManagement }: Pick<ListQuery, 'filter' | 'excludeManagement'>): Query {
  return { ...filter, route: routeOf(filter.route), excludeManagement: excludeManagement || undefined };
}

/**
 * The filter for requests of the same user agent, in a range with the request.
 *
 * @returns undefined when the API cannot search for it
 */
export function sameAgent(userAgent: string | null, createdAt?: string): Choice | undefined {
  if (userAgent === null || userAgent.length < 3 || /\p{C}/u.test(userAgent)) return undefined;
  const isOlder =
    !rangeIn(urlState.value) &&
    createdAt !== undefined &&
    Date.parse(createdAt) < endsOf(defaultRange, serverNow()).from;
  return { userAgent: userAgent.slice(0, 200), ...(isOlder && { range: undefined, from: createdAt, to: undefined }) };
}
