import { type Connection, useConnection } from './connection.js';
import { momentOf } from './parts/time.js';

/** The state of the service, in the header of every view while it is not up. */
export function ConnectionState() {
  const connection = useConnection();
  return (
    <span class="connection" role="status">
      {textOf(connection) && <span class={`live ${connection.state}`}>{textOf(connection)}</span>}
    </span>
  );
}

function textOf({ state, since }: Connection): string {
  if (state === 'database-down') return `Database down since ${since ? momentOf(since) : '–'}`;
  if (state === 'unreachable') return 'Disconnected, reconnecting…';
  return '';
}
