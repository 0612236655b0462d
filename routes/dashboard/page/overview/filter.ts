import type { Chip } from '../parts/chips.js';
import type { Choice, Place } from '../place.js';

/** How the place says “where no route matched”; a template begins with a slash. */
const unmatched = '-';

export const routeTitle = (route: string) => route || 'no route matched';

/** What to choose so that everything is of this route. */
export const routeChoice = (method: string, route: string): Choice => ({ method, route: route || unmatched });

/** The place's filter as the statistics take it. */
export function statsFilter({ chosen: { route, method, statusCode } }: Place) {
  return { route: route === unmatched ? '' : route, method, statusCode };
}

export function chipsOf({ chosen: { route, method, statusCode } }: Place): Chip[] {
  const title = route === undefined ? undefined : routeTitle(route === unmatched ? '' : route);
  const ofRoute = [method, title].filter(Boolean).join(' ');
  return [
    ...(ofRoute ? [{ names: ['method', 'route'], text: ofRoute }] : []),
    ...(statusCode ? [{ names: ['statusCode'], text: `status ${statusCode}` }] : []),
  ];
}

/** The same in the request log; null where it cannot say so, for its rows have paths and no templates. */
export function requestsChoice({ chosen: { route, method, statusCode } }: Place, from: Date): Choice | null {
  if (route !== undefined && (!route.startsWith('/') || /[:*]/.test(route))) return null;
  return { method, statusCode, path: route, from: from.toISOString() };
}
