import type { Judgement } from './targets.js';

/**
 * In the order of a round: bare Fastify, the finer measure, stands next to those that are held against it. `base` is bare
 * Fastify too, started by the same command as this service, and so are the parts that are held against it.
 */
export const serverNames = ['straightforward', 'musicez', 'bare', 'base', 'authentication', 'limits', 'log'] as const;
export type ServerName = (typeof serverNames)[number];

/** One round of load on one server. */
export interface Round {
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Of the server's process with all its threads; a PostgreSQL server is none of them. */
  cpuMicrosecondsPerRequest: number;
}

/** The rows of requests that were answered with 200, against the answers that were seen to arrive. */
export interface Rows {
  answered: number;
  /** Found in the database at the end. Also those whose answer found the load generator gone. */
  written: number;
  /** Records that the server itself says it gave up. */
  dropped: number;
}

/** One server over all rounds. */
export interface ServerResult {
  /** The median of each figure over the rounds. */
  median: Round;
  rounds: Round[];
  /** Requests with a 2xx, the warm-up's and those after the rounds included. */
  answered: number;
  /** Other answers, and errors of sockets. */
  failed: number;
  /** The highest seen, in bytes; asked four times a second under load. */
  residentBytes: number;
  /** Null for the server that writes none. */
  rows: Rows | null;
}

/** How many times another server's req/s this service reaches, each round against the same round. */
export interface Ratio {
  median: number;
  rounds: number[];
}

/** By how many microseconds of CPU a request is dearer, each round against the same round. */
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
  /** The processor's name and how many there are. */
  cpu: { model: string; count: number };
  /** `PostgreSQL 15.4`, or `embedded database`. */
  database: string;
  load: { generator: 'wrk' | 'autocannon'; version: string; connections: number; secondsPerRound: number };
  servers: Record<ServerName, ServerResult>;
  ratios: { toBare: Ratio; toStraightforward: Ratio };
  /** Authentication beyond bare Fastify started alike; the request log and limits beyond authentication. */
  costs: { authentication: Difference; log: Difference; limits: Difference };
  /** From starting this service's process to a 200 of `/readyz`, on an empty database. */
  startToReadyMs: number;
  targets: Judgement[];
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

/** The ratio of req/s, round by round: a machine's speed drifts, and between neighbours it drifts least. */
export function ratioOf(rounds: readonly Round[], to: readonly Round[]): Ratio {
  const ratios = rounds.map((round, i) => round.requestsPerSecond / (to[i]?.requestsPerSecond ?? Number.NaN));
  return { median: median(ratios), rounds: ratios };
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
