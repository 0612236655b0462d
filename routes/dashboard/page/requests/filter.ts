import type { Query } from '../api.js';
import { routeOf } from '../route.js';

/** What requests can be narrowed down by, as the API names it. */
export const filterNames = ['from', 'to', 'method', 'path', 'route', 'statusCode', 'minDuration', 'apiKeyId'] as const;
export type FilterName = (typeof filterNames)[number];
export type Filter = Partial<Record<FilterName, string>>;

export function filterOf(chosen: Readonly<Record<string, string>>): Filter {
  return Object.fromEntries(filterNames.filter((name) => chosen[name]).map((name) => [name, chosen[name]]));
}

/** As the API takes it. */
export function queryOf({ route, ...rest }: Filter): Query {
  return { ...rest, route: routeOf(route) };
}

/** The live requests that fit: they are newer than any `from`. */
export function liveQuery({ from: _, to: __, ...rest }: Filter): Query {
  return queryOf(rest);
}

/** For a field of the kind `datetime-local`, in the reader's time zone. */
export function localTime(iso: string | undefined): string {
  if (!iso) return '';
  const moment = new Date(iso);
  if (Number.isNaN(moment.getTime())) return '';
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

export const isoTime = (local: string) => (local === '' ? undefined : new Date(local).toISOString());
