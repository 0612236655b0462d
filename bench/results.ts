import type { TargetResult } from './target-result.js';

/**
 * The servers, in the order of a round. Servers that are compared run close to each other, because a machine's speed drifts.
 * `traced` is this service with a span for each request, `against` another version of it. `storing` is bare Fastify while PostgreSQL
 * stores as many rows as for this service. `base` is bare Fastify, started by the same command as this service; so are the parts,
 * which are compared with it.
 */
const serverNames = [
  ...(['straightforward', 'traced', 'against', 'storing', 'musicez', 'bare', 'base'] as const),
  ...(['authentication', 'limits', 'log'] as const),
] as const;
export type ServerName = (typeof serverNames)[number];
/** `against` requires its option, `storing` PostgreSQL. */
export type OptionalServerName = 'against' | 'storing';
export type Servers<T> = Record<Exclude<ServerName, OptionalServerName>, T> & Partial<Record<OptionalServerName, T>>;

/** Calls `map` for each server that takes part, in the order of a round. */
export function mapServers<T, R>(servers: Servers<T>, map: (item: T, name: ServerName) => R): Servers<R> {
  const mapped = serverNames.flatMap((name) => {
    const item = servers[name];
    return item === undefined ? [] : [[name, map(item, name)]];
  });
  return Object.fromEntries(mapped) as Servers<R>;
}

/** One round of load on one server. */
export interface Round {
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** CPU of the server's process with all its threads. The CPU of PostgreSQL does not count. */
  cpuMicrosecondsPerRequest: number;
}

/** The rows of requests with status 200, and the responses that the load generator received. */
export interface Rows {
  answered: number;
  /** Rows in the database at the end. Includes requests whose response came after the load generator had stopped. */
  written: number;
  /** Records that the server reports as dropped. */
  dropped: number;
}

/** One server over all rounds. */
export interface ServerResult {
  /** The median of each figure over the rounds. */
  median: Round;
  rounds: Round[];
  /** Requests with a 2xx response, including those of the warm-up and after the rounds. */
  answered: number;
  /** Other responses, and socket errors. */
  failed: number;
  /** The highest resident memory; sampled four times a second under load. */
  residentBytes: number;
  /** Null for servers that write no rows. */
  rows: Rows | null;
}

/** A figure of a server divided by that of another server, round by round. */
export interface Ratio {
  median: number;
  rounds: number[];
}

/** Throughput and 99th percentile of a server, divided by those of bare Fastify. */
export interface BareRatios {
  toBare: Ratio;
  p99ToBare: Ratio;
}

/** The additional CPU for each request, in microseconds, round by round. */
export interface Difference {
  median: number;
  rounds: number[];
}

/** What `--json` writes. */
export interface BenchResults {
  /** ISO 8601. */
  startedAt: string;
  musicez: string;
  node: string;
  /** The model and the number of processors. */
  cpu: { model: string; count: number };
  /** `PostgreSQL 15.4`, or `embedded database`. */
  database: string;
  load: { generator: 'wrk' | 'autocannon'; version: string; connections: number; secondsPerRound: number };
  servers: Servers<ServerResult>;
  /** The directory of `--against`. */
  against: string | null;
  /** Requests a second and, for `p99ToBare`, the 99th percentile of latency. */
  ratios: BareRatios & { toStraightforward: Ratio };
  /** The same for the optional servers that were measured. */
  optionalRatios: Partial<Record<OptionalServerName, BareRatios>>;
  /** Authentication compared with `base`; the request log and the limits with authentication; spans with this service without. */
  costs: { authentication: Difference; log: Difference; limits: Difference; spans: Difference };
  /** What one and two limits of a key add to a request, measured in the process of the benchmark: µs of CPU. */
  limitCost: { one: number; two: number };
  /** From starting this service's process to a 200 of `/readyz`, on an empty database. */
  startToReadyMs: number;
  targets: TargetResult[];
}

/** The median of each figure. */
export function medianRound(rounds: readonly Round[]): Round {
  return {
    requestsPerSecond: median(rounds.map((round) => round.requestsPerSecond)),
    p50Ms: median(rounds.map((round) => round.p50Ms)),
    p99Ms: median(rounds.map((round) => round.p99Ms)),
    cpuMicrosecondsPerRequest: median(rounds.map((round) => round.cpuMicrosecondsPerRequest)),
  };
}

/** The ratio of a figure, round by round: a machine's speed drifts least within a round. */
export function ratioOf(
  rounds: readonly Round[],
  to: readonly Round[],
  figure: 'requestsPerSecond' | 'p99Ms' = 'requestsPerSecond',
): Ratio {
  const ratios = rounds.map((round, i) => round[figure] / (to[i]?.[figure] ?? Number.NaN));
  return { median: median(ratios), rounds: ratios };
}

export function bareRatios(server: ServerResult, bare: ServerResult): BareRatios {
  return { toBare: ratioOf(server.rounds, bare.rounds), p99ToBare: ratioOf(server.rounds, bare.rounds, 'p99Ms') };
}

/** The difference in CPU, round by round. */
export function costOf(rounds: readonly Round[], beyond: readonly Round[]): Difference {
  const differences = rounds.map(
    (round, i) => round.cpuMicrosecondsPerRequest - (beyond[i]?.cpuMicrosecondsPerRequest ?? Number.NaN),
  );
  return { median: median(differences), rounds: differences };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}
