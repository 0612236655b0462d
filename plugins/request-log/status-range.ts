/** Statuses, both ends inclusive. */
export interface StatusRange {
  lowest: number;
  highest: number;
}

/** @param filter a status, a class such as `5xx`, or a bound such as `>=400` or `<=399` */
export function statusRangeOf(filter: number | string): StatusRange {
  const text = String(filter);
  const status = Number.parseInt(text.replace(/^[<>]=/, ''), 10);
  if (text.endsWith('xx')) return { lowest: status * 100, highest: status * 100 + 99 };
  if (text.startsWith('>=')) return { lowest: status, highest: 599 };
  if (text.startsWith('<=')) return { lowest: 100, highest: status };
  return { lowest: status, highest: status };
}
