import { setTimeout as sleep } from 'node:timers/promises';

const firstDelayMs = 100;
const longestDelayMs = 5_000;

/**
 * Sleeps before the next try: twice as long each time up to 5 s, less a random share of up to half, so that many replicas do not come
 * back in step.
 *
 * @param attempt how many tries have failed, from 1
 * @param signal ends the sleep at once, with an AbortError
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoff(attempt: number, signal?: AbortSignal): Promise<void> {
  const ceilingMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (attempt - 1));
  return sleep(ceilingMs * (0.5 + Math.random() / 2), undefined, { signal });
}
