import type { KeyStats } from '../../../request-stats.js';
import { get, type Wire } from '../api.js';

const hourMs = 3_600_000;
const hours = 24;

/** What a key did in the last day. */
export interface Usage {
  total: number;
  errors: number;
  /** By hour, the running one last. */
  hourly: number[];
}

/** @returns by id, of those that made requests */
export async function loadUsage(apiKeyId: string[], signal: AbortSignal): Promise<ReadonlyMap<string, Usage>> {
  if (apiKeyId.length === 0) return new Map();
  const now = Date.now();
  const from = new Date(now - (hours - 1) * hourMs).toISOString();
  const query = { from, to: new Date(now).toISOString(), interval: hourMs / 1_000, apiKeyId };
  return usageOf(await get<KeyStats>('/v1/request-logs/stats/keys', query, signal));
}

function usageOf({ from, keys }: Wire<KeyStats>): ReadonlyMap<string, Usage> {
  const start = Date.parse(from);
  return new Map(
    keys.map(({ apiKeyId, count, errors, series }) => {
      const hourly = new Array<number>(hours).fill(0);
      for (const one of series) hourly[Math.round((Date.parse(one.start) - start) / hourMs)] = one.count;
      return [apiKeyId, { total: count, errors, hourly }];
    }),
  );
}
