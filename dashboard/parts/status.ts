/** The CSS class of a status. */
export function statusClass(statusCode: number): string {
  return `status-${Math.floor(statusCode / 100)}`;
}
