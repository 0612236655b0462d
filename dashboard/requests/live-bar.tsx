import type { Connection } from '../connection.js';
import { count } from '../parts/numbers.js';
import type { RequestList } from './request-list.js';
import type { TailState } from './tail.js';

const words: Record<TailState, string> = {
  off: 'Not live',
  connecting: 'Connecting…',
  live: 'Live',
  away: 'Disconnected, reconnecting…',
};

interface LiveBarProps {
  list: RequestList;
  tail: TailState;
  connection: Connection;
  /** Whether the log could not be read. */
  isFailing: boolean;
  pause: () => void;
  resume: () => void;
  /** Shows the requests that are held back. */
  showHeld: () => void;
}

/** The state of live updates, and a button to pause them. */
export function LiveBar({ list, tail, connection, isFailing, pause, resume, showHeld }: LiveBarProps) {
  const { isHeld, held, missed } = list;
  const isPaused = list.isPaused || list.hasLoadedOlder;
  const [look, text] = stateOf(isPaused, tail, connection, isFailing);
  return (
    <div class="live-bar">
      <span
        class={`live ${look}`}
        title="Requests of this replica live, and those of other replicas every ten seconds"
        role="status"
      >
        {text}
      </span>
      <button type="button" data-shortcut="pause" onClick={isPaused ? resume : pause}>
        {isPaused ? `Resume${held.length > 0 ? ` (${count(held.length)} new)` : ''}` : 'Pause'}
      </button>
      {isHeld && !isPaused && held.length > 0 && (
        <button type="button" class="quiet" title="They are shown when you leave the list" onClick={showHeld}>
          Show {count(held.length)} new
        </button>
      )}
      {missed > 0 && (
        <span class="warn" title="There were too many requests to show; the log has them.">
          {count(missed)} missed
        </span>
      )}
    </div>
  );
}

function stateOf(
  isPaused: boolean,
  tail: TailState,
  { state }: Connection,
  isFailing: boolean,
): [look: string, text: string] {
  if (isPaused) return ['paused', 'Paused'];
  if (state === 'database-down') return ['away', 'Not live: the database is down'];
  if (state === 'unreachable') return ['away', words.away];
  if (isFailing) return ['away', 'Not live: the log cannot be read'];
  return [tail, words[tail]];
}
