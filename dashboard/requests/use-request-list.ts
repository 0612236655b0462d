import { useEffect, useReducer, useRef, useState } from 'preact/hooks';
import { get, type Page } from '../api.js';
import { queryCache, useQuery } from '../query-cache.js';
import { replace, urlState } from '../url-state.js';
import { type ListQuery, liveQuery, queryOf } from './filter.js';
import { type Entry, emptyList, listAfter, type RequestList } from './request-list.js';
import { useTail } from './tail.js';

const pageRows = 50;
/** The stream has the requests of this replica; the log has those of all. */
const refreshIntervalMs = 10_000;

/** Lists that were left, for when the user comes back to them. */
const keptList = (queryKey: string) => ['requests', 'list', queryKey];

/**
 * Loads the requests that match a query, in pages.
 *
 * @param isLive whether to add new requests
 */
export function useRequestList(query: ListQuery, isLive: boolean) {
  const queryKey = JSON.stringify(query);
  const [list, dispatch] = useReducer(listAfter, queryCache.getQueryData<RequestList>(keptList(queryKey)) ?? emptyList);
  const [older, setOlder] = useState<{ isLoading: boolean; error?: Error }>({ isLoading: false });
  const current = useRef(queryKey);
  current.current = queryKey;
  const isPaused = urlState.value.params.paused !== undefined;

  const newest = useQuery(
    ['requests', 'newest', queryKey],
    (signal) => read({ signal }),
    isLive ? refreshIntervalMs : null,
  );
  useEffect(() => {
    const kept = queryCache.getQueryData<RequestList>(keptList(queryKey));
    dispatch(kept ? { type: 'restored', list: kept } : { type: 'reset' });
    setOlder({ isLoading: false });
  }, [queryKey]);
  useEffect(() => {
    if (newest.data?.of === queryKey)
      dispatch({ type: 'newest', rows: newest.data.rows, hasOlder: newest.data.hasOlder });
  }, [queryKey, newest.data]);
  useEffect(() => {
    if (list.rows && !list.isOutdated) queryCache.setQueryData(keptList(queryKey), list);
  }, [list]);
  useEffect(() => {
    if (isPaused) dispatch({ type: 'paused' });
  }, [isPaused]);

  const tail = useTail(isLive ? liveQuery(query) : null, {
    // A paused list does not change.
    onLive: () => !list.isPaused && newest.refresh(),
    onRequests: (rows, missed) => dispatch({ type: 'streamed', rows, missed }),
  });

  async function read({ cursor, signal }: { cursor?: string | undefined; signal?: AbortSignal }) {
    const parameters = { ...queryOf(query), limit: pageRows, ...(cursor && { cursor }) };
    const { data, nextCursor } = await get<Page<Entry>>('/v1/request-logs', parameters, signal);
    return { rows: data, hasOlder: nextCursor !== null, of: queryKey };
  }

  async function loadOlder() {
    // New live requests would push the older page out of the list again.
    dispatch({ type: 'paused' });
    setOlder({ isLoading: true });
    try {
      const page = await read({ cursor: list.rows?.at(-1)?.id });
      if (page.of !== current.current) return;
      dispatch({ type: 'older', ...page });
      setOlder({ isLoading: false });
    } catch (error) {
      if (queryKey !== current.current) return;
      setOlder({ isLoading: false, error: error as Error });
    }
  }

  const { rows } = list;
  return {
    list,
    /** The state of loading the first page, with the rows of the list as its data. */
    loaded: { ...newest, data: list.isOutdated ? undefined : rows },
    tail,
    older,
    loadOlder,
    pause: () => replace({ paused: 'true' }),
    resume: () => {
      replace({ paused: undefined });
      dispatch({ type: 'resumed' });
      newest.refresh();
    },
    hold: () => dispatch({ type: 'held' }),
    release: () => dispatch({ type: 'released' }),
  };
}
