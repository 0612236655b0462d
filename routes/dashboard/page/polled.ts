import { useEffect, useRef, useState } from 'preact/hooks';
import { OfflineError } from './api.js';
import { deadlineAfter } from './deadline.js';

const deadlineMs = 30_000;
/** What failed is tried again, sooner than it would be, and also where it is loaded once. */
const retryMs = 5_000;

/** What was loaded last, and how the loading goes. */
export interface Polled<T> {
  /** Stays while newer is loaded and when that fails. */
  data: T | undefined;
  /** Why the newest could not be had. */
  error: Error | undefined;
  /** Whether `data` is of what was asked for before. */
  isOutdated: boolean;
  /** Loads now. */
  refresh(): void;
}

interface State<T> {
  data?: T;
  error?: Error | undefined;
  /** What `data` is of. */
  of?: string;
}

/**
 * Loads again and again, except while the tab is hidden; as soon as it is seen or the network is back, at once.
 *
 * @param what what is asked for: another one is loaded at once
 * @param everyMs counted from the end of one loading to the next; `null`: until it is there
 */
export function usePolled<T>(what: string, load: (signal: AbortSignal) => Promise<T>, everyMs: number | null) {
  const [state, setState] = useState<State<T>>({});
  const newest = useRef(load);
  newest.current = load;
  const refresh = useRef(() => {});

  useEffect(() => {
    const leaving = new AbortController();
    let timer: number | undefined;
    let isLoading = false;
    let isDue = false;

    async function run() {
      window.clearTimeout(timer);
      // What is loading may have been read before that for which it is asked again.
      isDue = isLoading;
      if (isLoading || document.hidden) return;
      isLoading = true;
      let nextMs = everyMs;
      const deadline = deadlineAfter(deadlineMs, leaving.signal);
      try {
        const data = await newest.current(deadline.signal);
        if (!leaving.signal.aborted) setState({ data, of: what });
      } catch (caught) {
        const error = deadline.signal.aborted ? new OfflineError() : (caught as Error);
        if (!leaving.signal.aborted) setState((before) => ({ ...before, error }));
        nextMs = Math.min(everyMs ?? retryMs, retryMs);
      }
      deadline.clear();
      isLoading = false;
      if (isDue && !leaving.signal.aborted) return run();
      if (nextMs !== null && !leaving.signal.aborted) timer = window.setTimeout(run, nextMs);
    }

    refresh.current = run;
    void run();
    document.addEventListener('visibilitychange', run);
    window.addEventListener('online', run);
    return () => {
      leaving.abort();
      window.clearTimeout(timer);
      document.removeEventListener('visibilitychange', run);
      window.removeEventListener('online', run);
    };
  }, [what, everyMs]);

  const isOutdated = state.data !== undefined && state.of !== what;
  return { data: state.data, error: state.error, isOutdated, refresh: () => refresh.current() } satisfies Polled<T>;
}
