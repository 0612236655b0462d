import { count } from '../parts/numbers.js';
import type { RequestList } from './request-list.js';
import type { TailState } from './tail.js';

const words: Record<TailState, string> = {
  off: 'Not live',
  connecting: 'Connecting…',
  live: 'Live',
  away: 'Broken off, trying again…',
};

interface LiveBarProps {
  list: RequestList;
  tail: TailState;
  pause: () => void;
  resume: () => void;
}

/** Whether new requests come by themselves, and a button that stops them for a while. */
export function LiveBar({ list: { isPaused, held, missed }, tail, pause, resume }: LiveBarProps) {
  return (
    <div class="live-bar">
      <span
        class={`live ${isPaused ? 'paused' : tail}`}
        title="Requests as this replica answers them, and every ten seconds those of the others"
        role="status"
      >
        {isPaused ? 'Paused' : words[tail]}
      </span>
      <button type="button" onClick={isPaused ? resume : pause}>
        {isPaused ? `Resume${held.length > 0 ? ` (${count(held.length)} new)` : ''}` : 'Pause'}
      </button>
      {missed > 0 && (
        <span class="warn" title="More came than could be kept; the log has them.">
          {count(missed)} missed
        </span>
      )}
    </div>
  );
}
