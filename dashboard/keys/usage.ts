import type { KeyStats } from '../../routes/request-stats.js';
import { get, type Wire } from '../api.js';
import { serverNow } from '../server-clock.js';

const hourMs = 3_600_000;
const hours = 24;

/** The requests of a key in the last day. */
export interface Usage {
  total: number;
  errors: number;
  /** By hour, the current hour last. */
  hourly: number[];
}

/** @returns the usage by key id; keys without requests are missing */
export async function loadUsage(apiKeyIds: string[], signal: AbortSignal): Promise<ReadonlyMap<string, Usage>> {
  if (apiKeyIds.length === 0) return new Map();
  const now = serverNow();
  // The current hour is the 24th.
  const from = new Date(now - (hours - 1) * hourMs).toISOString();
  const query = { from, to: new Date(now).toISOString(), interval: hourMs / 1_000, apiKeyId: apiKeyIds };
  return usageOf(await get<KeyStats>('/v1/request-logs/stats/keys', query, signal));
}

function usageOf({ from, keys }: Wire<KeyStats>): ReadonlyMap<string, Usage> {
  const start = Date.parse(from);
  return new Map(
    keys.map(({ apiKeyId, count, errors, series }) => {
      const hourly = new Array<number>(hours).fill(0);
      for (const interval of series) hourly[Math.round((Date.parse(interval.start) - start) / hourMs)] = interval.count;
      return [apiKeyId, { total: count, errors, hourly }];
    }),
  );
}
