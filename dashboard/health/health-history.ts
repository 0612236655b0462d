import type { Health } from '../../routes/probes.js';
import type { Wire } from '../api.js';

/** The history of `/health` responses that this page has received. */
export interface HealthHistory {
  /** Latencies of the database in milliseconds, newest last; null when it did not answer. */
  latencies: (number | null)[];
  /** The time of the last response of each replica, by the replica's start time: milliseconds since 1970. */
  replicas: ReadonlyMap<number, number>;
}

const keptLatencies = 60;
const rememberReplicaMs = 60_000;
/** The start times that responses of one replica imply differ by up to this. */
const startToleranceMs = 3_000;

/** @returns the history with one more response */
export function withResponse(before: HealthHistory | undefined, health: Wire<Health>): HealthHistory {
  const at = Date.parse(health.timestamp);
  const { status, latencyMs } = health.checks.database;
  return {
    latencies: [...(before?.latencies ?? []), status === 'healthy' ? latencyMs : null].slice(-keptLatencies),
    replicas: replicasOf(before?.replicas ?? new Map(), at - health.uptimeSeconds * 1_000, at),
  };
}

function replicasOf(before: ReadonlyMap<number, number>, startedAt: number, at: number): ReadonlyMap<number, number> {
  const known = [...before.keys()].find((start) => Math.abs(start - startedAt) < startToleranceMs) ?? startedAt;
  const recent = [...before].filter(([, seenAt]) => at - seenAt < rememberReplicaMs);
  return new Map([...recent, [known, at]]);
}
