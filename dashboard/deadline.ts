/** A timeout that can be restarted. */
export interface Deadline {
  signal: AbortSignal;
  restart(): void;
  /** Stops the timeout. */
  clear(): void;
}

/**
 * Creates a signal with a timeout. Without it, a request on a dead connection takes minutes to fail, such as after the computer slept.
 *
 * @param unmountSignal aborts the request when the component is removed
 */
export function deadlineAfter(ms: number, unmountSignal: AbortSignal): Deadline {
  const controller = new AbortController();
  const abort = () => controller.abort();
  unmountSignal.addEventListener('abort', abort);
  let timer = window.setTimeout(abort, ms);
  return {
    signal: controller.signal,
    restart() {
      window.clearTimeout(timer);
      timer = window.setTimeout(abort, ms);
    },
    clear() {
      window.clearTimeout(timer);
      unmountSignal.removeEventListener('abort', abort);
    },
  };
}
