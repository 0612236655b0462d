import { useEffect, useRef, useState } from 'preact/hooks';
import { OfflineError } from './api.js';
import { deadlineAfter } from './deadline.js';

const deadlineMs = 30_000;
/** The pause before a retry, also for data that is loaded once. */
const retryMs = 5_000;

const maxAnswers = 20;

/** The last data of a question, and the state of loading. */
export interface Polled<T> {
  /** Stays while newer data is loaded, and when that fails. Never the data of another question. */
  data: T | undefined;
  /** When `data` was loaded. */
  loadedAt: Date | undefined;
  /** The error of the last load. */
  error: Error | undefined;
  /** Loads now. */
  refresh(): void;
}

interface State<T> {
  /** By question, the last one last. */
  answers: ReadonlyMap<string, { data: T; loadedAt: Date }>;
  error?: Error | undefined;
}

function withAnswer<T>({ answers }: State<T>, dataKey: string, data: T): State<T> {
  const others = [...answers].filter(([key]) => key !== dataKey).slice(1 - maxAnswers);
  return { answers: new Map([...others, [dataKey, { data, loadedAt: new Date() }]]) };
}

/**
 * Loads data repeatedly, except while the tab is hidden. Loads at once when the tab becomes visible or the network is back.
 *
 * @param dataKey the question that the data answers; a change loads at once
 * @param intervalMs the pause between loads; `null`: does not poll, but loads again when the tab becomes visible or the network returns
 * @param version a change loads at once, and keeps the data until then
 */
export function usePolled<T>(
  dataKey: string,
  load: (signal: AbortSignal) => Promise<T>,
  intervalMs: number | null,
  version: number | string = 0,
) {
  const [state, setState] = useState<State<T>>({ answers: new Map() });
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
        if (!unmountController.signal.aborted) setState((before) => withAnswer(before, dataKey, data));
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
  }, [dataKey, intervalMs, version]);

  const answer = state.answers.get(dataKey);
  return {
    data: answer?.data,
    loadedAt: answer?.loadedAt,
    error: state.error,
    refresh: () => refresh.current(),
  } satisfies Polled<T>;
}
