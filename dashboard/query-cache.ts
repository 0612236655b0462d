import { QueryClient, type QueryKey, QueryObserver } from '@tanstack/query-core';
import { useEffect, useReducer, useRef, useState } from 'preact/hooks';
import { ApiError, OfflineError } from './api.js';
import { deadlineAfter } from './deadline.js';
import { serverNow } from './server-clock.js';
import { urlState } from './url-state.js';

const deadlineMs = 30_000;
/** The pause before a retry. */
const retryMs = 5_000;
/** How long unused data stays in the cache. */
const keptMs = 5 * 60_000;

/** The cache of all API data of the dashboard, by query key. */
export const queryCache = new QueryClient({
  defaultOptions: {
    queries: {
      gcTime: keptMs,
      // `refetchInterval` repeats a failed request.
      retry: false,
      networkMode: 'always',
    },
  },
});
queryCache.mount();

/** The last data of a key, and the state of loading. */
export interface Loaded<T> {
  /** Stays while newer data is loaded, and when that fails. Never the data of another key. */
  data: T | undefined;
  /** When `data` was loaded, by the server's clock. */
  loadedAt: Date | undefined;
  /** Changes with each load, also when it returned the same data. */
  loadCount: number;
  /** The error of the last load. */
  error: Error | undefined;
  /** Loads the data now. */
  refresh(): void;
}

/**
 * Loads data repeatedly, except while the tab is hidden. Loads at once when the tab becomes visible or the network is back.
 *
 * @param key identifies the data; components with the same key share it
 * @param intervalMs the pause between loads; `null`: loads once, and again after an error
 * @param canPause whether the user can pause the updates
 * @param staleMs cached data younger than this is not loaded again when a component mounts
 */
export function useQuery<T>(
  key: QueryKey,
  load: (signal: AbortSignal) => Promise<T>,
  intervalMs: number | null,
  { canPause = false, staleMs = 0 } = {},
): Loaded<T> {
  const isPaused = canPause && urlState.value.params.paused !== undefined;
  const options = queryCache.defaultQueryOptions<T, Error, T, T, QueryKey>({
    queryKey: key,
    staleTime: staleMs,
    refetchOnWindowFocus: isPaused ? false : 'always',
    refetchOnReconnect: !isPaused,
    queryFn: ({ signal }) => withDeadline(load, signal),
    refetchInterval: ({ state: { error } }) => {
      if (isPaused) return false;
      if (error === null) return intervalMs ?? false;
      return canSucceed(error) && Math.min(intervalMs ?? retryMs, retryMs);
    },
  });
  const [observer] = useState(() => new QueryObserver<T, Error, T, T, QueryKey>(queryCache, options));
  const [, render] = useReducer((count: number) => count + 1, 0);
  useEffect(() => observer.subscribe(render), [observer]);
  useEffect(() => observer.setOptions(options));

  const { data, dataUpdatedAt, error } = observer.getOptimisticResult(options);
  const lastError = useRef<{ name: string; error: Error | null }>({ name: '', error: null });
  const name = JSON.stringify(key);
  // While a failed query without data is repeated, its error stays.
  if (error !== null || data !== undefined || lastError.current.name !== name) lastError.current = { name, error };
  return {
    data,
    loadedAt: data === undefined ? undefined : new Date(dataUpdatedAt + serverNow() - Date.now()),
    loadCount: queryCache.getQueryState(key)?.dataUpdateCount ?? 0,
    error: lastError.current.error ?? undefined,
    refresh: () => void observer.refetch(),
  };
}

/**
 * Marks all data whose key begins with `start` as outdated, and loads what is shown again.
 *
 * @param except the id of something that was deleted: data about it is not loaded again
 */
export function invalidate(start: string, { except }: { except?: string } = {}) {
  return queryCache.invalidateQueries({
    queryKey: [start],
    predicate: ({ queryKey }) => except === undefined || !JSON.stringify(queryKey).includes(except),
  });
}

async function withDeadline<T>(load: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  const deadline = deadlineAfter(deadlineMs, signal);
  try {
    return await load(deadline.signal);
  } catch (error) {
    throw deadline.signal.aborted && !signal.aborted ? new OfflineError() : error;
  } finally {
    deadline.clear();
  }
}

/** Whether the same request can succeed later. */
function canSucceed(error: Error): boolean {
  if (!(error instanceof ApiError)) return true;
  const { status } = error.problem;
  return status >= 500 || status === 408 || status === 429;
}
