/** The routes of the dashboard, and of the APIs that it reads again and again. Each includes the routes below it. */
export const managementRoutes = [
  '/dashboard',
  '/health',
  '/v1/api-keys',
  '/v1/events',
  '/v1/owners',
  '/v1/request-logs',
  '/v1/usage',
] as const;

/** Whether a request only reads the management API, as the dashboard does. */
export function isManagementRead({ method, route }: { method: string; route: string }): boolean {
  return method === 'GET' && managementRoutes.some((start) => route === start || route.startsWith(`${start}/`));
}
