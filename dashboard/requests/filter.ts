import type { Query } from '../api.js';
import { routeOf } from '../route.js';

/** The filters, by their names in the API. */
export const filterNames = [
  'from',
  'to',
  'method',
  'path',
  'route',
  'statusCode',
  'minDuration',
  'apiKeyId',
  'verifiedApiKeyId',
  'ownerId',
  'ip',
  'userAgent',
] as const;
export type FilterName = (typeof filterNames)[number];
export type Filter = Partial<Record<FilterName, string>>;

export function filterOf(params: Readonly<Record<string, string>>): Filter {
  return Object.fromEntries(filterNames.filter((name) => params[name]).map((name) => [name, params[name]]));
}

/** The query of a list. */
export function queryOf({ route, ...rest }: Filter): Query {
  return { ...(rest.userAgent && searchRange(rest)), ...rest, route: routeOf(route) };
}

/** The query of the stream, which has no range of time. */
export function liveQuery({ from: _, to: __, route, ...rest }: Filter): Query {
  return { ...rest, route: routeOf(route) };
}

/** The value of a `datetime-local` field, in the user's time zone. */
export function localTime(iso: string | undefined): string {
  if (!iso) return '';
  const moment = new Date(iso);
  if (Number.isNaN(moment.getTime())) return '';
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

const dayMs = 86_400_000;

/** The API searches user agents in a range of time only: the last day, or from `since`, unless the filter has a range. */
export function searchRange({ from, to }: Filter, since = new Date(Date.now() - dayMs)): { from?: string } {
  return from || to ? {} : { from: since.toISOString() };
}

/** The filter for requests of the same user agent; undefined when the API cannot search for it. */
export function sameAgent(userAgent: string | null, createdAt: string): Filter | undefined {
  if (userAgent === null || userAgent.length < 3 || /\p{C}/u.test(userAgent)) return undefined;
  const since = Math.min(Date.parse(createdAt), Date.now() - dayMs);
  return { userAgent: userAgent.slice(0, 200), ...searchRange({}, new Date(since)) };
}

export const isoTime = (local: string) => (local === '' ? undefined : new Date(local).toISOString());
