import { AsyncResource } from 'node:async_hooks';

const background = new AsyncResource('background work');

/** Runs work that a request starts and that is not a part of it, in no trace: its queries have no spans. */
export function inBackground<T>(work: () => T): T {
  return background.runInAsyncScope(work);
}
