import { useEffect, useReducer, useRef, useState } from 'preact/hooks';
import { get, type Page } from '../api.js';
import { usePolled } from '../polled.js';
import { type Filter, liveQuery, queryOf } from './filter.js';
import { type Entry, emptyList, listAfter } from './request-list.js';
import { useTail } from './tail.js';

const pageRows = 50;
/** The stream tells of this replica's requests; the log has those of all. */
const readEveryMs = 10_000;

/**
 * The requests that fit a filter, page by page.
 *
 * @param isLive whether new ones come by themselves
 */
export function useRequestList(filter: Filter, isLive: boolean) {
  const [list, tell] = useReducer(listAfter, emptyList);
  const [older, setOlder] = useState<{ isLoading: boolean; error?: Error }>({ isLoading: false });
  const what = JSON.stringify(filter);
  const current = useRef(what);
  current.current = what;

  const newest = usePolled(what, (signal) => read({ signal }), isLive ? readEveryMs : null);
  useEffect(() => {
    if (newest.data?.of !== what) return tell({ type: 'asked anew' });
    tell({ type: 'newest', rows: newest.data.rows, hasOlder: newest.data.hasOlder });
    setOlder({ isLoading: false });
  }, [what, newest.data]);

  const tail = useTail(isLive ? liveQuery(filter) : null, {
    // What is paused stays as it is.
    onLive: () => !list.isPaused && newest.refresh(),
    onNews: (rows, missed) => tell({ type: 'told', rows, missed }),
  });

  async function read({ cursor, signal }: { cursor?: string | undefined; signal?: AbortSignal }) {
    const query = { ...queryOf(filter), limit: pageRows, ...(cursor && { cursor }) };
    const { data, nextCursor } = await get<Page<Entry>>('/v1/request-logs', query, signal);
    return { rows: data, hasOlder: nextCursor !== null, of: what };
  }

  async function loadOlder() {
    // What passes by would push it out again.
    tell({ type: 'paused' });
    setOlder({ isLoading: true });
    try {
      const page = await read({ cursor: list.rows?.at(-1)?.id });
      if (page.of !== current.current) return;
      tell({ type: 'older', ...page });
      setOlder({ isLoading: false });
    } catch (error) {
      if (what !== current.current) return;
      setOlder({ isLoading: false, error: error as Error });
    }
  }

  const { rows } = list;
  return {
    list,
    /** The first page, as other parts of the page are loaded. */
    loaded: { ...newest, data: rows },
    tail,
    older,
    loadOlder,
    pause: () => tell({ type: 'paused' }),
    resume: () => {
      tell({ type: 'resumed' });
      newest.refresh();
    },
  };
}
