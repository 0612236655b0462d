import { setImmediate as nextTurn } from 'node:timers/promises';

/** How many items are visited without a pause. Encoding as many records takes half a millisecond. */
const itemsBetweenPauses = 256;
/** A longer pause is the last: the event loop is so busy that the rest of the items hardly delay it. */
const longPauseMs = 4;

/** Calls `visit` with each item, in order. Pauses between some of them, so that requests do not wait for all. */
export async function visitWithPauses<T>(items: readonly T[], visit: (item: T, index: number) => void): Promise<void> {
  let pauses = true;
  for (let i = 0; i < items.length; i++) {
    if (pauses && i > 0 && i % itemsBetweenPauses === 0) {
      const pausedAt = performance.now();
      await nextTurn();
      pauses = performance.now() - pausedAt < longPauseMs;
    }
    visit(items[i] as T, i);
  }
}
