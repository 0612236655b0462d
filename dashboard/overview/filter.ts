import { isManagementHidden } from '../management-switch.js';
import type { Chip } from '../parts/chips.js';
import { routeOf, routeTitle } from '../route.js';
import type { UrlState } from '../url-state.js';

/** The query for the filter in the URL. */
export function filterOf(state: UrlState) {
  const { route, method, statusCode } = state.params;
  const excludeManagement = isManagementHidden(state) || undefined;
  return { route: routeOf(route), method, statusCode, excludeManagement };
}

export function chipsOf({ params: { route, method, statusCode } }: UrlState): Chip[] {
  const ofRoute = [method, route && routeTitle(routeOf(route) ?? '')].filter(Boolean).join(' ');
  return [
    ...(ofRoute ? [{ names: ['method', 'route'], text: ofRoute }] : []),
    ...(statusCode ? [{ names: ['statusCode'], text: `status ${statusCode}` }] : []),
  ];
}
