import type { ApiKey } from '../routes/api-key-fields.js';
import { get, type Page } from './api.js';
import { usePolled } from './polled.js';

/** @returns the names of the newest 500 keys, by id */
export function useKeyNames(): ReadonlyMap<string, string> {
  const keys = usePolled('keys', (signal) => get<Page<ApiKey>>('/v1/api-keys', { limit: 500 }, signal), 60_000);
  return new Map(keys.data?.data.map(({ id, name }) => [id, name]));
}

/** The name of a key; a part of its id when the key was deleted or is not among the newest. */
export const nameOf = (names: ReadonlyMap<string, string>, id: string) => names.get(id) ?? `key …${id.slice(-6)}`;
