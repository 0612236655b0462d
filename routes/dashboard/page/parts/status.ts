/** The class of the style sheet that a status is coloured by. */
export function statusClass(statusCode: number): string {
  return `status-${Math.floor(statusCode / 100)}`;
}
