import { count } from '../parts/numbers.js';
import type { RequestList } from './request-list.js';
import type { TailState } from './tail.js';

const words: Record<TailState, string> = {
  off: 'Not live',
  connecting: 'Connecting…',
  live: 'Live',
  away: 'Disconnected, trying again…',
};

interface LiveBarProps {
  list: RequestList;
  tail: TailState;
  pause: () => void;
  resume: () => void;
}

/** The state of live updates, and a button to pause them. */
export function LiveBar({ list: { isPaused, held, missed }, tail, pause, resume }: LiveBarProps) {
  return (
    <div class="live-bar">
      <span
        class={`live ${isPaused ? 'paused' : tail}`}
        title="Requests of this replica live, and those of other replicas every ten seconds"
        role="status"
      >
        {isPaused ? 'Paused' : words[tail]}
      </span>
      <button type="button" data-shortcut="pause" onClick={isPaused ? resume : pause}>
        {isPaused ? `Resume${held.length > 0 ? ` (${count(held.length)} new)` : ''}` : 'Pause'}
      </button>
      {missed > 0 && (
        <span class="warn" title="There were too many requests to show; the log has them.">
          {count(missed)} missed
        </span>
      )}
    </div>
  );
}
