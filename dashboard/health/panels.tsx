import type { ComponentChildren } from 'preact';
import type { Health } from '../../routes/probes.js';
import type { Wire } from '../api.js';
import { Fact, Facts } from '../parts/facts.js';
import { bytes, count, duration } from '../parts/numbers.js';
import { Sparkline } from '../parts/sparkline.js';
import type { HealthHistory } from './health-history.js';
import type { Metrics } from './metrics.js';

type Checks = Wire<Health>['checks'];

export function DatabasePanel({
  of,
  latencies,
  metrics,
}: {
  of: Checks['database'];
  latencies: HealthHistory['latencies'];
  metrics: Metrics | undefined;
}) {
  const isUp = of.status === 'healthy';
  const known = latencies.filter((latency) => latency !== null);
  const highest = known.length > 0 ? duration(Math.max(...known)) : '–';
  return (
    <Panel title="Database">
      <Figure
        value={isUp ? duration(of.latencyMs) : 'No answer'}
        isBad={!isUp}
        note={isUp ? 'to read a row' : 'within a second'}
      />
      <Sparkline values={latencies} label={`Latency while this page is open: at most ${highest}`} />
      <Facts>
        <Fact name="Highest latency">{highest}</Fact>
        <Fact name="Connections">
          {number(metrics, 'musicez_database_connections{state="used"}')} used,{' '}
          {number(metrics, 'musicez_database_connections{state="idle"}')} idle
        </Fact>
        <Fact name="Queued queries">{number(metrics, 'musicez_database_waiting_queries')}</Fact>
      </Facts>
    </Panel>
  );
}

/** The counts of records by where they are. They add up to the accepted records. */
export function LogPanel({ of, metrics }: { of: Checks['requestLog']; metrics: Metrics | undefined }) {
  const spoolBytes = metrics?.get('musicez_request_log_spool_bytes');
  const maxBytes = metrics?.get('musicez_request_log_spool_max_bytes');
  return (
    <Panel title="Request log">
      <Figure
        value={count(of.accepted)}
        note={of.dropped > 0 ? 'records, of which some are lost' : 'records since the start, none lost'}
      />
      <Facts>
        <Fact name="Written">{count(of.written)}</Fact>
        <Fact name="In memory">{count(of.buffered)}</Fact>
        <Fact name="In the spool" look={of.spooled > 0 ? 'warn' : undefined}>
          {count(of.spooled)}
          {of.spooled > 0 && ', on disk until the database accepts them'}
        </Fact>
        <Fact name="Dropped" look={of.dropped > 0 ? 'bad' : undefined}>
          {count(of.dropped)}
          {of.dropped > 0 && ', because buffer and spool were full'}
        </Fact>
        <Fact name="Size of the spool">
          {spoolBytes === undefined || maxBytes === undefined ? '–' : `${bytes(spoolBytes)} of ${bytes(maxBytes)}`}
        </Fact>
      </Facts>
    </Panel>
  );
}

export function KeysPanel({ of, metrics }: { of: Checks['keyCache']; metrics: Metrics | undefined }) {
  const age = metrics?.get('musicez_key_listener_age_seconds');
  const hasHeartbeat = age !== undefined && Number.isFinite(age);
  return (
    <Panel title="Keys">
      <Figure value={count(of.entries)} note="in memory" />
      <Facts>
        <Fact name="Changes made elsewhere" look={!of.hearsChanges && hasHeartbeat ? 'warn' : undefined}>
          {of.hearsChanges ? 'apply at once' : 'apply after KEY_CACHE_TTL_MS'}
        </Fact>
        <Fact name="Change notifications">{listenerOf(of.hearsChanges, age)}</Fact>
        <Fact name="Cache hits">{number(metrics, 'musicez_key_cache_hits_total')}</Fact>
        <Fact name="Cache misses">{number(metrics, 'musicez_key_cache_lookups_total')}</Fact>
      </Facts>
      {!of.hearsChanges && !hasHeartbeat && (
        <p class="hint">
          On an embedded database, or behind PgBouncer in transaction mode, notifications never arrive.
        </p>
      )}
    </Panel>
  );
}

function listenerOf(isReceiving: boolean, ageSeconds: number | undefined): string {
  if (isReceiving)
    return `connected${ageSeconds === undefined ? '' : `, heartbeat ${duration(Math.max(0, ageSeconds) * 1_000)} ago`}`;
  if (ageSeconds !== undefined && Number.isFinite(ageSeconds))
    return `not connected for ${duration(ageSeconds * 1_000)}`;
  return 'not connected yet';
}

export function ReplicaPanel({
  of,
  replicas,
  metrics,
}: {
  of: Wire<Health>;
  replicas: number;
  metrics: Metrics | undefined;
}) {
  const memory = metrics?.get('process_resident_memory_bytes');
  const lag = metrics?.get('nodejs_eventloop_lag_p99_seconds');
  return (
    <Panel title="This replica">
      <Figure value={of.version} note={`up for ${uptimeOf(of.uptimeSeconds)}`} />
      <Facts>
        <Fact name="Memory">{memory === undefined ? '–' : bytes(memory)}</Fact>
        <Fact name="Event loop, p99">{lag === undefined ? '–' : `${duration(lag * 1_000)} late`}</Fact>
        <Fact name="Replicas seen">
          {replicas > 1
            ? `${replicas} have responded in the last minute; each has its own figures`
            : '1; there can be others, each with its own figures'}
        </Fact>
      </Facts>
    </Panel>
  );
}

function Panel({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="panel">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Figure({ value, note, isBad = false }: { value: string; note: string; isBad?: boolean }) {
  return (
    <p>
      <strong class={isBad ? 'value bad' : 'value'}>{value}</strong> <span class="soft">{note}</span>
    </p>
  );
}

function number(metrics: Metrics | undefined, name: string): string {
  const value = metrics?.get(name);
  return value === undefined ? '–' : count(value);
}

function uptimeOf(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1_440)} d ${Math.floor((minutes % 1_440) / 60)} h`;
}
