import { useEffect, useState } from 'preact/hooks';
import type { ApiKey } from '../routes/api-key-fields.js';
import { get, type Page } from './api.js';
import { usePolled } from './polled.js';

const newestCount = 500;
/** The largest number of ids in one request. */
const maxLookups = 100;

/** Names of keys that are not among the newest, by id; null while a lookup runs, and for deleted keys. */
const lookedUp = new Map<string, string | null>();

/**
 * The names of the newest keys, and of those whose ids are given.
 *
 * @param ids of the keys that are shown
 */
export function useKeyNames(ids: readonly (string | null)[] = []): ReadonlyMap<string, string> {
  const [, setLookups] = useState(0);
  const keys = usePolled('keys', (signal) => get<Page<ApiKey>>('/v1/api-keys', { limit: newestCount }, signal), 60_000);
  const newest = keys.data?.data.map(({ id, name }) => [id, name] as const);
  const names = new Map(newest);
  const missing = newest ? ids.filter((id) => id !== null && !names.has(id) && !lookedUp.has(id)) : [];

  useEffect(() => {
    const asked = missing.slice(0, maxLookups) as string[];
    if (asked.length === 0) return;
    for (const id of asked) lookedUp.set(id, null);
    get<Page<ApiKey>>('/v1/api-keys', { id: asked, limit: maxLookups }).then(
      ({ data }) => {
        for (const { id, name } of data) lookedUp.set(id, name);
        setLookups((count) => count + 1);
      },
      // The ids are shown until the page is loaded again; other requests report the failure.
      () => {},
    );
  }, [missing.join()]);

  for (const id of ids) {
    const name = id === null ? null : lookedUp.get(id);
    if (id !== null && name) names.set(id, name);
  }
  return names;
}

/** The name of a key; a part of its id when the key was deleted. */
export const nameOf = (names: ReadonlyMap<string, string>, id: string) => names.get(id) ?? `key …${id.slice(-6)}`;
