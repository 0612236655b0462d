import { EventSourceParserStream } from 'eventsource-parser/stream';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, type Query, send } from '../api.js';
import { deadlineAfter } from '../deadline.js';
import type { Entry } from './request-list.js';

/** `away`: disconnected, and retrying. */
export type TailState = 'off' | 'connecting' | 'live' | 'away';

interface Listener {
  /** Called when the stream begins. It does not repeat earlier requests. */
  onLive: () => void;
  onRequests: (rows: Entry[], missed: number) => void;
}

/** The interval of rendering: fast enough to look live. At hundreds of requests a second each rendering takes a frame or two. */
const renderIntervalMs = 400;
/** The service sends a comment every 15 s, so silence means that the connection is dead. */
const silenceMs = 45_000;
const retryAfterMs = [1_000, 2_000, 5_000, 10_000];

/** The browser's EventSource cannot send the key. */
function eventsOf(body: ReadableStream<Uint8Array>, onComment: () => void) {
  // The types of the DOM and of Node.js differ in the buffers of their streams.
  const decoder = new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>;
  return body.pipeThrough(decoder).pipeThrough(new EventSourceParserStream({ onComment }));
}

const isInvalidQuery = (error: unknown) => error instanceof ApiError && error.problem.status === 400;

/**
 * Streams the requests of one replica.
 *
 * @param query the filter; null: no stream
 */
export function useTail(query: Query | null, listener: Listener): TailState {
  const [state, setState] = useState<TailState>('off');
  const latestListener = useRef(listener);
  latestListener.current = listener;
  const queryKey = query && JSON.stringify(query);

  useEffect(() => {
    if (queryKey === null) return setState('off');
    const unmountController = new AbortController();
    let waiting: Entry[] = [];
    let missed = 0;
    let failures = 0;
    let timer: number | undefined;

    const renderTimer = window.setInterval(() => {
      if (waiting.length + missed === 0) return;
      latestListener.current.onRequests(waiting, missed);
      waiting = [];
      missed = 0;
    }, renderIntervalMs);

    async function listen() {
      const silence = deadlineAfter(silenceMs, unmountController.signal);
      try {
        const options = { query: JSON.parse(queryKey as string), signal: silence.signal };
        const { body } = await send('GET', '/v1/request-logs/stream', options);
        failures = 0;
        setState('live');
        latestListener.current.onLive();
        const reader = eventsOf(body as ReadableStream<Uint8Array>, silence.restart).getReader();
        for (let next = await reader.read(); !next.done; next = await reader.read()) {
          silence.restart();
          const { event, data } = next.value;
          if (event === 'request') waiting.push(JSON.parse(data));
          if (event === 'missed') missed += JSON.parse(data).count;
        }
      } catch (error) {
        // Not retried: the list reports the same error.
        if (isInvalidQuery(error)) return setState('off');
      } finally {
        silence.clear();
      }
      if (unmountController.signal.aborted) return;
      setState('away');
      timer = window.setTimeout(listen, retryAfterMs[Math.min(failures++, retryAfterMs.length - 1)]);
    }

    setState('connecting');
    void listen();
    return () => {
      unmountController.abort();
      window.clearInterval(renderTimer);
      window.clearTimeout(timer);
    };
  }, [queryKey]);

  return state;
}
