import { useRef } from 'preact/hooks';
import type { Health } from '../../routes/probes.js';
import type { Wire } from '../api.js';
import { type Connection, useConnection, useHealth } from '../connection.js';
import { Part } from '../parts/part.js';
import { momentOf } from '../parts/time.js';
import { useQuery } from '../query-cache.js';
import { type HealthHistory, withResponse } from './health-history.js';
import { loadMetrics } from './metrics.js';
import { DatabasePanel, KeysPanel, LogPanel, ReplicaPanel } from './panels.js';

const refreshMs = 5_000;

/** The health view: `/health` and `/metrics`. */
export function HealthView() {
  const history = useRef<{ of?: Wire<Health>; value?: HealthHistory }>({});
  const connection = useConnection();
  const loaded = useHealth();
  // Optional: a proxy can block them.
  const metrics = useQuery(['metrics'], (signal) => loadMetrics(signal).catch(() => null), refreshMs).data ?? undefined;
  if (loaded.data && loaded.data !== history.current.of)
    history.current = { of: loaded.data, value: withResponse(history.current.value, loaded.data) };
  const { latencies = [], replicas = new Map() } = history.current.value ?? {};

  return (
    <Part of={loaded} name="health">
      {(health) => (
        <>
          <HealthSummary health={health} connection={connection} />
          <div class="health-grid">
            <DatabasePanel of={health.checks.database} latencies={latencies} metrics={metrics} />
            <LogPanel of={health.checks.requestLog} metrics={metrics} />
            <KeysPanel of={health.checks.keyCache} metrics={metrics} />
            <ReplicaPanel of={health} replicas={replicas.size} metrics={metrics} />
          </div>
        </>
      )}
    </Part>
  );
}

/** The overall state, in words. */
function HealthSummary({ health, connection }: { health: Wire<Health>; connection: Connection }) {
  const [look, title, text] = summaryOf(health, connection);
  return (
    <p class={`health-state ${look}`} role="status">
      <strong>{title}</strong> {text}
    </p>
  );
}

function summaryOf(
  { checks: { requestLog } }: Wire<Health>,
  { state, since }: Connection,
): [look: 'bad' | 'warn' | 'good', title: string, text: string] {
  if (state === 'unreachable')
    return ['bad', 'The state is unknown.', 'The service does not answer. The figures below are its last ones.'];
  if (state === 'database-down')
    return [
      'bad',
      'The database does not answer.',
      `Seen first at ${since ? momentOf(since) : '–'}. Cached keys are accepted for KEY_CACHE_MAX_STALE_MS, other keys get 503. Records of requests go to the spool, and to the log when the database is back.`,
    ];
  if (requestLog.dropped > 0)
    return ['warn', 'Healthy, with losses.', 'Some records of requests were dropped since the start.'];
  if (requestLog.spooled > 0)
    return ['warn', 'Catching up.', 'Records in the spool are being written to the database.'];
  return ['good', 'Healthy.', 'The database answers, and no record was lost.'];
}
