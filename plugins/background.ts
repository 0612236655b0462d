import { AsyncResource } from 'node:async_hooks';

// Created when the module is loaded, outside of any request: work in its scope has no span as its parent.
const background = new AsyncResource('background work');

/** Runs work that a request starts and that is not a part of it, in no trace: its queries have no spans. */
export function inBackground<T>(work: () => T): T {
  return background.runInAsyncScope(work);
}
