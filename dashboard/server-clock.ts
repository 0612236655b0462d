import { computed, signal } from '@preact/signals';

/** The bounds of the difference between the server's clock and this computer's, in milliseconds. */
interface Bounds {
  lowest: number;
  highest: number;
}

/** A difference that is worth mentioning. */
const noticeableMs = 30_000;

const bounds = signal<Bounds>({ lowest: 0, highest: 0 });
let isKnown = false;

/** How far the server's clock is ahead of this computer's, in milliseconds: as little as the bounds allow. */
const offsetMs = computed(() => Math.min(Math.max(0, bounds.value.lowest), bounds.value.highest));

/** The difference in milliseconds when it is noticeable; 0 otherwise. */
export const clockDifferenceMs = computed(() => (Math.abs(offsetMs.value) > noticeableMs ? offsetMs.value : 0));

/** The server's time, in milliseconds since 1970. */
export const serverNow = () => Date.now() + offsetMs.peek();

/**
 * Learns from a response. The server's clock showed `date`, a second that has begun, at some time between the two others.
 *
 * @param date the `Date` header
 * @param sentAt when the request was sent, in milliseconds by the clock of this computer
 * @param receivedAt when the response arrived
 */
export function learnServerTime(date: string | null, sentAt: number, receivedAt: number) {
  const second = Date.parse(date ?? '');
  if (Number.isNaN(second)) return;
  const seen = { lowest: second - receivedAt, highest: second + 999 - sentAt };
  const { lowest, highest } = bounds.peek();
  const both = { lowest: Math.max(lowest, seen.lowest), highest: Math.min(highest, seen.highest) };
  // Without an overlap, one of the clocks was set.
  const next = isKnown && both.lowest <= both.highest ? both : seen;
  isKnown = true;
  if (next.lowest !== lowest || next.highest !== highest) bounds.value = next;
}
