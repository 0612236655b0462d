import { useRef } from 'preact/hooks';
import type { Health } from '../../../probes.js';
import { ask, type Wire } from '../api.js';
import { Part } from '../parts/part.js';
import { momentOf } from '../parts/time.js';
import { usePolled } from '../polled.js';
import { loadMetrics } from './metrics.js';
import { DatabasePanel, KeysPanel, LogPanel, ReplicaPanel } from './panels.js';
import { type Sighting, seen } from './sighting.js';

const refreshMs = 3_000;

/** Whether it does well, and where not: what the service says of itself, which asks for no key. */
export function HealthView() {
  const sighting = useRef<Sighting>(undefined);
  const loaded = usePolled('health', load, refreshMs);

  async function load(signal: AbortSignal) {
    const [health, metrics] = await Promise.all([
      ask<Health>('GET', '/health', { accept: [503], signal }),
      // They add to what is there, and are not missed where a proxy keeps them inside.
      loadMetrics(signal).catch(() => undefined),
    ]);
    sighting.current = seen(sighting.current, health);
    return { health, metrics, sighting: sighting.current };
  }

  return (
    <Part of={loaded} name="health">
      {({ health, metrics, sighting }) => (
        <>
          <Verdict health={health} since={sighting.since} />
          <div class="health-grid">
            <DatabasePanel of={health.checks.database} latencies={sighting.latencies} metrics={metrics} />
            <LogPanel of={health.checks.requestLog} metrics={metrics} />
            <KeysPanel of={health.checks.keyCache} metrics={metrics} />
            <ReplicaPanel of={health} replicas={sighting.replicas.size} metrics={metrics} />
          </div>
        </>
      )}
    </Part>
  );
}

/** The one thing to know, in words. */
function Verdict({ health, since }: { health: Wire<Health>; since: number }) {
  const { database, requestLog } = health.checks;
  const [look, title, text] =
    database.status === 'unhealthy'
      ? ([
          'bad',
          'The database does not answer.',
          `Seen first at ${momentOf(new Date(since))}. Keys in memory are let in for KEY_CACHE_MAX_STALE_MS, others get 503. Requests go to disk and into the log when it is back.`,
        ] as const)
      : requestLog.dropped > 0
        ? (['warn', 'Healthy, with losses.', 'Records of requests were dropped since the start.'] as const)
        : requestLog.spooled > 0
          ? (['warn', 'Catching up.', 'Records on disk are on their way into the database.'] as const)
          : (['good', 'Healthy.', 'The database answers, and no record was lost.'] as const);
  return (
    <p class={`verdict ${look}`} role="status">
      <strong>{title}</strong> {text}
    </p>
  );
}
