import { setImmediate as nextTurn } from 'node:timers/promises';

/** Items between two pauses: about half a millisecond of encoding. */
const itemsBetweenPauses = 256;
/** A busy event loop makes pauses long. After this time in pauses the other items are visited without any, so that they are not late. */
const maxPausesMs = 50;

/** Calls `visit` with each item, in order. Pauses after every 256 items, so that requests are handled meanwhile. */
export async function visitWithPauses<T>(items: readonly T[], visit: (item: T, index: number) => void): Promise<void> {
  let pausesMs = 0;
  for (let i = 0; i < items.length; i++) {
    if (i > 0 && i % itemsBetweenPauses === 0 && pausesMs < maxPausesMs) {
      const pausedAt = performance.now();
      await nextTurn();
      pausesMs += performance.now() - pausedAt;
    }
    visit(items[i] as T, i);
  }
}
