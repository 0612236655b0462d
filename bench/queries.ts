import type { ServerProcess } from './server-process.js';

/** A query of the API: its name in the report, its kind, and its path. */
export type Query = [question: string, kind: 'page' | 'search' | 'stats', path: string];

/** A query of the API, and the durations of its responses in milliseconds. */
export interface Answered {
  question: string;
  kind: Query[1];
  p50: number;
  p95: number;
}

const repeatCount = 40;

/** Sends each query repeatedly, and measures the responses. */
export async function measureQueries(server: ServerProcess, key: string, queries: Query[], signal: AbortSignal) {
  const answered: Answered[] = [];
  for (const [question, kind, path] of queries) {
    const durationsMs: number[] = [];
    for (let i = 0; i < repeatCount; i++) {
      const startedAt = performance.now();
      const response = await server.get(path, signal, { 'x-api-key': key });
      const body = (await response.json()) as {
        data?: unknown[];
        owners?: unknown[];
        groups?: unknown[];
        total?: { count: number };
      };
      durationsMs.push(performance.now() - startedAt);
      // An empty response would be fast and prove nothing.
      if (!(body.data?.length || body.owners?.length || body.groups?.length || body.total?.count))
        throw new Error(`${question}: ${JSON.stringify(body)}`);
    }
    durationsMs.sort((a, b) => a - b);
    answered.push({
      question,
      kind,
      p50: durationsMs[repeatCount / 2] ?? 0,
      p95: durationsMs[Math.ceil(repeatCount * 0.95) - 1] ?? 0,
    });
  }
  return answered;
}

/** A duration in milliseconds, with a fraction below 10. */
export function formatMs(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
