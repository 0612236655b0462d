import type { Health } from '../../../probes.js';
import type { Wire } from '../api.js';

/** What the answers so far say together, which no single one does. */
export interface Sighting {
  /** Milliseconds that the database took, the newest last; null where it did not answer. */
  latencies: (number | null)[];
  /** Since when the database is as it is now, as far as this page has seen. */
  since: number;
  isUp: boolean;
  /** When each replica was seen last, by the moment it started at: milliseconds since 1970. */
  replicas: ReadonlyMap<number, number>;
}

const keptLatencies = 60;
const rememberReplicaMs = 60_000;
/** Of one replica, answers disagree by so much on when it started. */
const startToleranceMs = 3_000;

/** @returns with one more answer */
export function seen(before: Sighting | undefined, health: Wire<Health>): Sighting {
  const at = Date.parse(health.timestamp);
  const { status, latencyMs } = health.checks.database;
  const isUp = status === 'healthy';
  return {
    latencies: [...(before?.latencies ?? []), isUp ? latencyMs : null].slice(-keptLatencies),
    since: before?.isUp === isUp ? before.since : at,
    isUp,
    replicas: replicasOf(before?.replicas ?? new Map(), at - health.uptimeSeconds * 1_000, at),
  };
}

function replicasOf(before: ReadonlyMap<number, number>, startedAt: number, at: number): ReadonlyMap<number, number> {
  const known = [...before.keys()].find((start) => Math.abs(start - startedAt) < startToleranceMs) ?? startedAt;
  const recent = [...before].filter(([, seenAt]) => at - seenAt < rememberReplicaMs);
  return new Map([...recent, [known, at]]);
}
