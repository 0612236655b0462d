import { send } from '../api.js';

/** Values of metrics, by name and labels as written in the text format. */
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
