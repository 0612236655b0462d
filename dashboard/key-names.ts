import type { ApiKey } from '../routes/api-key-fields.js';
import { get, type Page } from './api.js';
import { queryCache, useQuery } from './query-cache.js';

const newestCount = 500;
/** The largest number of ids in one request. */
const maxLookups = 100;
const refreshMs = 60_000;

/** The cached name of a key that is not among the newest; null when the key was deleted. */
const keyOfName = (id: string) => ['keys', 'name', id];
const cachedName = (id: string) => queryCache.getQueryData<string | null>(keyOfName(id));

/**
 * The names of the newest keys, and of those whose ids are given.
 *
 * @param ids of the keys that are shown
 */
export function useKeyNames(ids: readonly (string | null)[] = []): ReadonlyMap<string, string> {
  const newest = useQuery(
    ['keys', 'names'],
    async (signal) => namesOf(await get<Page<ApiKey>>('/v1/api-keys', { limit: newestCount }, signal)),
    refreshMs,
    { staleMs: refreshMs / 2 },
  );
  const names = new Map(newest.data);
  const others = ids.filter((id): id is string => id !== null && !names.has(id));
  const isUnknown = (id: string) => queryCache.getQueryState(keyOfName(id))?.isInvalidated ?? true;
  const missing = newest.data ? others.filter(isUnknown) : [];
  const asked = [...new Set(missing)].sort().slice(0, maxLookups);
  useQuery(['keys', 'lookup', asked], (signal) => lookUp(asked, signal), null);

  for (const id of others) {
    const name = cachedName(id);
    if (name) names.set(id, name);
  }
  return names;
}

async function lookUp(ids: string[], signal: AbortSignal): Promise<null> {
  if (ids.length === 0) return null;
  const found = new Map(namesOf(await get<Page<ApiKey>>('/v1/api-keys', { id: ids, limit: maxLookups }, signal)));
  for (const id of ids) queryCache.setQueryData(keyOfName(id), found.get(id) ?? null);
  return null;
}

function namesOf({ data }: { data: { id: string; name: string }[] }): [string, string][] {
  return data.map(({ id, name }) => [id, name]);
}

/** The name of a key; a part of its id when the key was deleted. */
export const nameOf = (names: ReadonlyMap<string, string>, id: string) => names.get(id) ?? `key …${id.slice(-6)}`;
