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

/** The ids of one request; more of them could be too long for a proxy. */
const idsPerRequest = 100;

/** @returns the usage by key id; keys without requests are missing */
export async function loadUsage(apiKeyIds: string[], signal: AbortSignal): Promise<ReadonlyMap<string, Usage>> {
  const parts: string[][] = [];
  for (let at = 0; at < apiKeyIds.length; at += idsPerRequest) parts.push(apiKeyIds.slice(at, at + idsPerRequest));
  const usages = await Promise.all(parts.map((ids) => loadPart(ids, signal)));
  return new Map(usages.flat());
}

async function loadPart(apiKeyId: string[], signal: AbortSignal): Promise<[id: string, usage: Usage][]> {
  const now = serverNow();
  // The current hour is the 24th.
  const from = new Date(now - (hours - 1) * hourMs).toISOString();
  const query = { from, to: new Date(now).toISOString(), interval: hourMs / 1_000, apiKeyId };
  return usageOf(await get<KeyStats>('/v1/request-logs/stats/keys', query, signal));
}

function usageOf({ from, keys }: Wire<KeyStats>): [id: string, usage: Usage][] {
  const start = Date.parse(from);
  return keys.map(({ apiKeyId, count, errors, series }) => {
    const hourly = new Array<number>(hours).fill(0);
    for (const interval of series) hourly[Math.round((Date.parse(interval.start) - start) / hourMs)] = interval.count;
    return [apiKeyId, { total: count, errors, hourly }];
  });
}
