import { setTimeout as sleep } from 'node:timers/promises';

const firstDelayMs = 100;
const maxDelayMs = 5_000;

/**
 * Sleeps before the next attempt: twice as long each time, up to 5 s, minus random jitter of up to half, so that replicas do not
 * retry at the same time.
 *
 * @param attempt how many attempts have failed, from 1
 * @param signal ends the sleep at once, with an AbortError
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoff(attempt: number, signal?: AbortSignal): Promise<void> {
  const maxDelayForAttemptMs = Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1));
  return sleep(maxDelayForAttemptMs * (0.5 + Math.random() / 2), undefined, { signal });
}
