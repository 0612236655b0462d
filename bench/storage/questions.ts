import type { ServerProcess } from '../server-process.js';
import { busyKey, rareKey } from './fill.js';

/** A question to the API, and how long its answers took, in milliseconds. */
export interface Answered {
  question: string;
  kind: 'page' | 'stats';
  p50: number;
  p95: number;
}

const times = 40;
const dayMs = 86_400_000;

/** @param middle an id from the middle of the log */
export async function askAll(server: ServerProcess, key: string, middle: string, signal: AbortSignal) {
  const since = (days: number) => new Date(Date.now() - days * dayMs).toISOString();
  const questions: [question: string, kind: Answered['kind'], path: string][] = [
    ['newest page', 'page', '?'],
    ['page of a busy path', 'page', '?path=/v1/me'],
    ['page of a path of many', 'page', '?path=/v1/orders/4711'],
    ['page of a busy route', 'page', '?route=/v1/customers/:id'],
    ['page of a rare route', 'page', '?route=/v1/refunds'],
    ['page of a frequent status', 'page', '?statusCode=404'],
    ['page of a rare status', 'page', '?statusCode=503'],
    ['page of a busy key', 'page', `?apiKeyId=${busyKey}`],
    ['page of a rare key', 'page', `?apiKeyId=${rareKey}`],
    ['deep page', 'page', `?cursor=${middle}`],
    ['deep page of a busy path', 'page', `?path=/v1/me&cursor=${middle}`],
    ['page of slow requests of a day', 'page', `?minDuration=2000&from=${since(2)}&to=${since(1)}`],
    ['statistics of 24 hours', 'stats', `/stats?from=${since(1)}`],
    ['statistics of 30 days', 'stats', `/stats?from=${since(30)}`],
  ];
  const answered: Answered[] = [];
  for (const [question, kind, path] of questions) {
    const taken: number[] = [];
    for (let i = 0; i < times; i++) {
      const startedAt = performance.now();
      const response = await server.get(`/v1/request-logs${path}`, signal, { 'x-api-key': key });
      const body = (await response.json()) as { data?: unknown[]; total?: { count: number } };
      taken.push(performance.now() - startedAt);
      // An empty answer would be quick and mean nothing.
      if (!(body.data?.length || body.total?.count)) throw new Error(`${question}: ${JSON.stringify(body)}`);
    }
    taken.sort((a, b) => a - b);
    answered.push({ question, kind, p50: taken[times / 2] ?? 0, p95: taken[Math.ceil(times * 0.95) - 1] ?? 0 });
  }
  return answered;
}
