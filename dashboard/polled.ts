import { useEffect, useRef, useState } from 'preact/hooks';
import { OfflineError } from './api.js';
import { deadlineAfter } from './deadline.js';

const deadlineMs = 30_000;
/** The pause before a retry, also for data that is loaded once. */
const retryMs = 5_000;

/** The last data, and the state of loading. */
export interface Polled<T> {
  /** Stays while newer data is loaded, and when that fails. */
  data: T | undefined;
  /** The error of the last load. */
  error: Error | undefined;
  /** Whether `data` was loaded for an earlier `dataKey`. */
  isOutdated: boolean;
  /** Loads now. */
  refresh(): void;
}

interface State<T> {
  data?: T;
  error?: Error | undefined;
  /** The key that `data` belongs to. */
  of?: string;
}

/**
 * Loads data repeatedly, except while the tab is hidden. Loads at once when the tab becomes visible or the network is back.
 *
 * @param dataKey the key of the data; a change loads at once
 * @param intervalMs the pause between loads; `null`: does not poll, but loads again when the tab becomes visible or the network returns
 */
export function usePolled<T>(dataKey: string, load: (signal: AbortSignal) => Promise<T>, intervalMs: number | null) {
  const [state, setState] = useState<State<T>>({});
  const latestLoad = useRef(load);
  latestLoad.current = load;
  const refresh = useRef(() => {});

  useEffect(() => {
    const unmountController = new AbortController();
    let timer: number | undefined;
    let isLoading = false;
    let isDue = false;

    async function run() {
      window.clearTimeout(timer);
      // The running load may have started before the change that caused this call, so another one follows.
      isDue = isLoading;
      if (isLoading || document.hidden) return;
      isLoading = true;
      let nextMs = intervalMs;
      const deadline = deadlineAfter(deadlineMs, unmountController.signal);
      try {
        const data = await latestLoad.current(deadline.signal);
        if (!unmountController.signal.aborted) setState({ data, of: dataKey });
      } catch (caught) {
        const error = deadline.signal.aborted ? new OfflineError() : (caught as Error);
        if (!unmountController.signal.aborted) setState((before) => ({ ...before, error }));
        nextMs = Math.min(intervalMs ?? retryMs, retryMs);
      }
      deadline.clear();
      isLoading = false;
      if (isDue && !unmountController.signal.aborted) return run();
      if (nextMs !== null && !unmountController.signal.aborted) timer = window.setTimeout(run, nextMs);
    }

    refresh.current = run;
    void run();
    document.addEventListener('visibilitychange', run);
    window.addEventListener('online', run);
    return () => {
      unmountController.abort();
      window.clearTimeout(timer);
      document.removeEventListener('visibilitychange', run);
      window.removeEventListener('online', run);
    };
  }, [dataKey, intervalMs]);

  const isOutdated = state.data !== undefined && state.of !== dataKey;
  return { data: state.data, error: state.error, isOutdated, refresh: () => refresh.current() } satisfies Polled<T>;
}
