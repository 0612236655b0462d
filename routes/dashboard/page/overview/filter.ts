import type { Chip } from '../parts/chips.js';
import type { Place } from '../place.js';
import { routeOf, routeTitle } from '../route.js';

/** The place's filter as the API takes it. */
export function filterOf({ chosen: { route, method, statusCode } }: Place) {
  return { route: routeOf(route), method, statusCode };
}

export function chipsOf({ chosen: { route, method, statusCode } }: Place): Chip[] {
  const ofRoute = [method, route && routeTitle(routeOf(route) ?? '')].filter(Boolean).join(' ');
  return [
    ...(ofRoute ? [{ names: ['method', 'route'], text: ofRoute }] : []),
    ...(statusCode ? [{ names: ['statusCode'], text: `status ${statusCode}` }] : []),
  ];
}
