import { send } from '../api.js';

/** Names of metrics to their values; those that have labels are told by name and labels, as they are written. */
export type Metrics = ReadonlyMap<string, number>;

/** @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
export async function loadMetrics(signal: AbortSignal): Promise<Metrics> {
  const text = await (await send('GET', '/metrics', { signal })).text();
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), numberOf(line.slice(end + 1))];
    }),
  );
}

function numberOf(text: string): number {
  return text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text);
}
