import type { ApiKey } from '../../api-key-fields.js';
import { get, type Page } from './api.js';
import { usePolled } from './polled.js';

/** @returns names of the newest 500 keys by id, as soon as they are known */
export function useKeyNames(): ReadonlyMap<string, string> {
  const keys = usePolled('keys', (signal) => get<Page<ApiKey>>('/v1/api-keys', { limit: 500 }, signal), 60_000);
  return new Map(keys.data?.data.map(({ id, name }) => [id, name]));
}

/** What to call a key whose name is not known: it is deleted, or one of very many. */
export const nameOf = (names: ReadonlyMap<string, string>, id: string) => names.get(id) ?? `key …${id.slice(-6)}`;
