/** The paths of the dashboard, and of the APIs that it reads again and again. */
export const managementPaths = [
  '/dashboard',
  '/health',
  '/v1/api-keys',
  '/v1/events',
  '/v1/owners',
  '/v1/request-logs',
  '/v1/usage',
] as const;

/** Whether a request only reads the management API, as the dashboard does. */
export function isManagementRead({ method, path }: { method: string; path: string }): boolean {
  return method === 'GET' && managementPaths.some((start) => path.startsWith(start));
}
