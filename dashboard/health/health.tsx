import { useRef } from 'preact/hooks';
import type { Health } from '../../routes/probes.js';
import { requestJson, type Wire } from '../api.js';
import { Part } from '../parts/part.js';
import { momentOf } from '../parts/time.js';
import { usePolled } from '../polled.js';
import { type HealthHistory, withResponse } from './health-history.js';
import { loadMetrics } from './metrics.js';
import { DatabasePanel, KeysPanel, LogPanel, ReplicaPanel } from './panels.js';

const refreshMs = 3_000;

/** The health view: `/health` and `/metrics`. */
export function HealthView() {
  const history = useRef<HealthHistory>(undefined);
  const loaded = usePolled('health', load, refreshMs);

  async function load(signal: AbortSignal) {
    const [health, metrics] = await Promise.all([
      requestJson<Health>('GET', '/health', { accept: [503], signal }),
      // Optional: a proxy can block them.
      loadMetrics(signal).catch(() => undefined),
    ]);
    history.current = withResponse(history.current, health);
    return { health, metrics, history: history.current };
  }

  return (
    <Part of={loaded} name="health">
      {({ health, metrics, history }) => (
        <>
          <HealthSummary health={health} since={history.since} />
          <div class="health-grid">
            <DatabasePanel of={health.checks.database} latencies={history.latencies} metrics={metrics} />
            <LogPanel of={health.checks.requestLog} metrics={metrics} />
            <KeysPanel of={health.checks.keyCache} metrics={metrics} />
            <ReplicaPanel of={health} replicas={history.replicas.size} metrics={metrics} />
          </div>
        </>
      )}
    </Part>
  );
}

/** The overall state, in words. */
function HealthSummary({ health, since }: { health: Wire<Health>; since: number }) {
  const { database, requestLog } = health.checks;
  const [look, title, text] =
    database.status === 'unhealthy'
      ? ([
          'bad',
          'The database does not answer.',
          `Seen first at ${momentOf(new Date(since))}. Cached keys are accepted for KEY_CACHE_MAX_STALE_MS, other keys get 503. Records of requests go to the spool, and to the log when the database is back.`,
        ] as const)
      : requestLog.dropped > 0
        ? (['warn', 'Healthy, with losses.', 'Some records of requests were dropped since the start.'] as const)
        : requestLog.spooled > 0
          ? (['warn', 'Catching up.', 'Records in the spool are being written to the database.'] as const)
          : (['good', 'Healthy.', 'The database answers, and no record was lost.'] as const);
  return (
    <p class={`health-state ${look}`} role="status">
      <strong>{title}</strong> {text}
    </p>
  );
}
