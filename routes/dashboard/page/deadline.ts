/** Ends what is waited for when the one who waits leaves, or after a while, which can begin anew. */
export interface Deadline {
  signal: AbortSignal;
  beginAnew(): void;
  /** It has come; nothing will end any more. */
  clear(): void;
}

/**
 * A connection that has died unnoticed, as in a computer that slept, would be waited for for minutes.
 *
 * @param leaving aborted when nobody waits any more
 */
export function deadlineAfter(ms: number, leaving: AbortSignal): Deadline {
  const controller = new AbortController();
  const abort = () => controller.abort();
  leaving.addEventListener('abort', abort);
  let timer = window.setTimeout(abort, ms);
  return {
    signal: controller.signal,
    beginAnew() {
      window.clearTimeout(timer);
      timer = window.setTimeout(abort, ms);
    },
    clear() {
      window.clearTimeout(timer);
      leaving.removeEventListener('abort', abort);
    },
  };
}
