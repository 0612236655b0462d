import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, type Query, send } from '../api.js';
import { deadlineAfter } from '../deadline.js';
import { eventsOf } from '../sse.js';
import type { Entry } from './request-list.js';

/** `away`: it broke off, and is tried again. */
export type TailState = 'off' | 'connecting' | 'live' | 'away';

interface Listener {
  /** It begins; what was before is not told. */
  onLive: () => void;
  onNews: (rows: Entry[], missed: number) => void;
}

/** Often enough to look live, seldom enough that a thousand requests a second are drawn with ease. */
const drawEveryMs = 250;
/** The service says every 15 s that there is nothing; from a connection that has died unnoticed nothing comes at all. */
const silenceMs = 45_000;
const retryAfterMs = [1_000, 2_000, 5_000, 10_000];

const isRefusal = (error: unknown) => error instanceof ApiError && error.problem.status === 400;

/**
 * Listens to the requests that this replica answers.
 *
 * @param query which; null: none
 */
export function useTail(query: Query | null, listener: Listener): TailState {
  const [state, setState] = useState<TailState>('off');
  const newest = useRef(listener);
  newest.current = listener;
  const what = query && JSON.stringify(query);

  useEffect(() => {
    if (what === null) return setState('off');
    const leaving = new AbortController();
    let waiting: Entry[] = [];
    let missed = 0;
    let failures = 0;
    let timer: number | undefined;

    const drawing = window.setInterval(() => {
      if (waiting.length + missed === 0) return;
      newest.current.onNews(waiting, missed);
      waiting = [];
      missed = 0;
    }, drawEveryMs);

    async function listen() {
      const silence = deadlineAfter(silenceMs, leaving.signal);
      try {
        const options = { query: JSON.parse(what as string), signal: silence.signal };
        const { body } = await send('GET', '/v1/request-logs/stream', options);
        failures = 0;
        setState('live');
        newest.current.onLive();
        for await (const { event, data } of eventsOf(body as ReadableStream<Uint8Array>, silence.beginAnew)) {
          if (event === 'request') waiting.push(JSON.parse(data));
          if (event === 'missed') missed += JSON.parse(data).count;
        }
      } catch (error) {
        // Whatever it was, the page that is read beside it says so; asking again would not help.
        if (isRefusal(error)) return setState('off');
      } finally {
        silence.clear();
      }
      if (leaving.signal.aborted) return;
      setState('away');
      timer = window.setTimeout(listen, retryAfterMs[Math.min(failures++, retryAfterMs.length - 1)]);
    }

    setState('connecting');
    void listen();
    return () => {
      leaving.abort();
      window.clearInterval(drawing);
      window.clearTimeout(timer);
    };
  }, [what]);

  return state;
}
