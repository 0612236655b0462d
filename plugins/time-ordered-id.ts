/**
 * The time in an id of a request or an event: the first 48 bits of a UUIDv7.
 *
 * @returns milliseconds since 1970
 */
export function timeInId(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** The lowest id of this millisecond. */
export function firstIdAt(time: Date): string {
  const hex = time.getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}
