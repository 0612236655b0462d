import type { Chip } from '../parts/chips.js';
import { routeOf, routeTitle } from '../route.js';
import type { UrlState } from '../url-state.js';

/** The query for the filter in the URL. */
export function filterOf({ params: { route, method, statusCode } }: UrlState) {
  return { route: routeOf(route), method, statusCode };
}

export function chipsOf({ params: { route, method, statusCode } }: UrlState): Chip[] {
  const ofRoute = [method, route && routeTitle(routeOf(route) ?? '')].filter(Boolean).join(' ');
  return [
    ...(ofRoute ? [{ names: ['method', 'route'], text: ofRoute }] : []),
    ...(statusCode ? [{ names: ['statusCode'], text: `status ${statusCode}` }] : []),
  ];
}
