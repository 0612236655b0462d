import { useEffect, useReducer, useRef, useState } from 'preact/hooks';
import { get, type Page } from '../api.js';
import { usePolled } from '../polled.js';
import { type Filter, liveQuery, queryOf } from './filter.js';
import { type Entry, emptyList, listAfter } from './request-list.js';
import { useTail } from './tail.js';

const pageRows = 50;
/** The stream has the requests of this replica; the log has those of all. */
const refreshIntervalMs = 10_000;

/**
 * Loads the requests that match a filter, in pages.
 *
 * @param isLive whether to add new requests
 */
export function useRequestList(filter: Filter, isLive: boolean) {
  const [list, dispatch] = useReducer(listAfter, emptyList);
  const [older, setOlder] = useState<{ isLoading: boolean; error?: Error }>({ isLoading: false });
  const filterKey = JSON.stringify(filter);
  const current = useRef(filterKey);
  current.current = filterKey;

  const newest = usePolled(filterKey, (signal) => read({ signal }), isLive ? refreshIntervalMs : null);
  useEffect(() => {
    if (newest.data?.of !== filterKey) return dispatch({ type: 'reset' });
    dispatch({ type: 'newest', rows: newest.data.rows, hasOlder: newest.data.hasOlder });
    setOlder({ isLoading: false });
  }, [filterKey, newest.data]);

  const tail = useTail(isLive ? liveQuery(filter) : null, {
    // A paused list does not change.
    onLive: () => !list.isPaused && newest.refresh(),
    onRequests: (rows, missed) => dispatch({ type: 'streamed', rows, missed }),
  });

  async function read({ cursor, signal }: { cursor?: string | undefined; signal?: AbortSignal }) {
    const query = { ...queryOf(filter), limit: pageRows, ...(cursor && { cursor }) };
    const { data, nextCursor } = await get<Page<Entry>>('/v1/request-logs', query, signal);
    return { rows: data, hasOlder: nextCursor !== null, of: filterKey };
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
      if (filterKey !== current.current) return;
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
    pause: () => dispatch({ type: 'paused' }),
    resume: () => {
      dispatch({ type: 'resumed' });
      newest.refresh();
    },
  };
}
