import type { Query } from '../api.js';
import { routeOf } from '../route.js';
import { serverNow } from '../server-clock.js';
import { queryOfRange, rangeIn, type TimeRange } from '../time/range.js';
import type { Choice, UrlState } from '../url-state.js';

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
const defaultRange = '24h';

export function listQueryIn(state: UrlState): ListQuery {
  const { params } = state;
  return {
    filter: Object.fromEntries(filterNames.filter((name) => params[name]).map((name) => [name, params[name]])),
    range: rangeIn(state),
    isSlowestFirst: params.sort === 'slowest',
    excludeManagement: params.management !== 'shown',
  };
}

/** The parameters in the URL for a filter: those that read all rows get a range, unless one is chosen. */
export function choiceOf(filter: Choice, state: UrlState): Choice {
  const needsRange = filter.sort === 'slowest' || scanning.some((name) => filter[name]);
  return { ...(needsRange && !rangeIn(state) && { range: defaultRange }), ...filter };
}

/** The query of the list. */
export function queryOf({ filter, range, isSlowestFirst, excludeManagement }: ListQuery): Query {
  const isScan = isSlowestFirst || scanning.some((name) => filter[name]);
  return {
    ...liveQuery({ filter, excludeManagement }),
    ...((range || isScan) && queryOfRange(range ?? { preset: defaultRange }, serverNow())),
    ...(isSlowestFirst && { sort: 'slowest' }),
  };
}

/** The query of the stream, which has no range of time. */
export function liveQuery({ filter, excludeManagement }: Pick<ListQuery, 'filter' | 'excludeManagement'>): Query {
  return { ...filter, route: routeOf(filter.route), excludeManagement: excludeManagement || undefined };
}

/** The filter for requests of the same user agent; undefined when the API cannot search for it. */
export function sameAgent(userAgent: string | null): Choice | undefined {
  if (userAgent === null || userAgent.length < 3 || /\p{C}/u.test(userAgent)) return undefined;
  return { userAgent: userAgent.slice(0, 200) };
}
