import { useEffect, useReducer, useRef, useState } from 'preact/hooks';
import { get, type Page } from '../api.js';
import { useQuery } from '../query-cache.js';
import { replace, urlState } from '../url-state.js';
import { type ListQuery, liveQuery, queryOf } from './filter.js';
import { keepList, listFor } from './kept-lists.js';
import { type Entry, isStill, listAfter } from './request-list.js';
import { useTail } from './tail.js';

const pageRows = 50;
/** The stream has the requests of this replica; the log has those of all. */
const refreshIntervalMs = 10_000;

/**
 * Loads the requests that match a query, in pages. The component must have the query as its key.
 *
 * @param isLive whether to add new requests
 */
export function useRequestList(query: ListQuery, isLive: boolean) {
  const queryKey = JSON.stringify(query);
  const isPaused = urlState.value.params.paused !== undefined;
  const [list, dispatch] = useReducer(listAfter, undefined, () => listFor(queryKey, isPaused));
  const [older, setOlder] = useState<{ isLoading: boolean; error?: Error }>({ isLoading: false });
  const unmountController = useRef(new AbortController());
  const latest = useRef(list);
  latest.current = list;

  const newest = useQuery(
    ['requests', 'newest', queryKey],
    (signal) => read({ signal }),
    isLive ? refreshIntervalMs : null,
    { canPause: true },
  );
  // Also when the same page was loaded again: the stream may have missed something.
  useEffect(() => {
    if (newest.data) dispatch({ type: 'newest', ...newest.data });
  }, [newest.data, newest.loadCount]);
  useEffect(() => dispatch({ type: isPaused ? 'paused' : 'unpaused' }), [isPaused]);
  useEffect(
    () => () => {
      unmountController.current.abort();
      keepList(queryKey, latest.current);
    },
    [],
  );

  const tail = useTail(isLive ? liveQuery(query) : null, {
    onLive: () => !isStill(list) && newest.refresh(),
    onRequests: (rows, missed) => dispatch({ type: 'streamed', rows, missed }),
  });

  async function read({ cursor, signal }: { cursor?: string | undefined; signal: AbortSignal }) {
    const parameters = { ...queryOf(query), limit: pageRows, ...(cursor && { cursor }) };
    const { data, nextCursor } = await get<Page<Entry>>('/v1/request-logs', parameters, signal);
    return { rows: data, hasOlder: nextCursor !== null };
  }

  async function loadOlder() {
    const { signal } = unmountController.current;
    dispatch({ type: 'loading-older' });
    setOlder({ isLoading: true });
    try {
      dispatch({ type: 'older', ...(await read({ cursor: list.rows?.at(-1)?.id, signal })) });
      setOlder({ isLoading: false });
    } catch (error) {
      if (!signal.aborted) setOlder({ isLoading: false, error: error as Error });
    }
  }

  return {
    list,
    /** The state of loading the first page, with the rows of the list as its data. */
    loaded: { ...newest, data: query.isSlowestFirst ? newest.data?.rows : list.rows },
    tail,
    older,
    loadOlder,
    pause: () => replace({ paused: 'true' }),
    resume: () => {
      replace({ paused: undefined });
      dispatch({ type: 'resumed' });
      newest.refresh();
    },
    showHeld: () => dispatch({ type: 'shown' }),
    hold: () => dispatch({ type: 'held' }),
    release: () => dispatch({ type: 'released' }),
  };
}
