import type { Health } from '../routes/probes.js';
import { requestJson, type Wire } from './api.js';
import { useQuery } from './query-cache.js';

const refreshMs = 5_000;

/** The state of the service, as seen from this page. */
export interface Connection {
  state: 'connecting' | 'up' | 'database-down' | 'unreachable';
  /** When the state began, as far as this page knows, by the server's clock; undefined while up. */
  since: Date | undefined;
}

/** The last state that was not up, and when it was first seen. */
let outage: Connection | undefined;

/** Loads `/health`, also when it reports that the database is down. */
export function useHealth() {
  return useQuery(['health'], (signal) => requestJson<Health>('GET', '/health', { accept: [503], signal }), refreshMs, {
    canPause: false,
  });
}

/** The state of the connection, from the last response to `/health`. */
export function useConnection(): Connection {
  const { data, loadedAt, error } = useHealth();
  const state = stateOf(data, error);
  if (state === 'up' || state === 'connecting') outage = undefined;
  else if (outage?.state !== state) outage = { state, since: error ? loadedAt : new Date(data?.timestamp ?? 0) };
  return outage ?? { state, since: undefined };
}

function stateOf(health: Wire<Health> | undefined, error: Error | undefined): Connection['state'] {
  if (error) return 'unreachable';
  if (!health) return 'connecting';
  return health.checks.database.status === 'unhealthy' ? 'database-down' : 'up';
}
