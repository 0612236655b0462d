import { autocannon } from './autocannon.js';
import { wrk } from './wrk.js';

/** What is asked for, again and again, on every connection. */
export interface Target {
  url: string;
  /** The `Authorization` header. */
  authorization: string;
}

/** How a round of load went. */
export interface Load {
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Requests that were answered with a 2xx. */
  answered: number;
  /** Other answers, and errors and time-outs of sockets. */
  failed: number;
}

/** A program, in a process of its own, that asks as fast as it is answered. */
export interface LoadGenerator {
  name: 'wrk' | 'autocannon';
  version: string;
  /**
   * Drives `target` for so many seconds.
   *
   * @throws when it cannot, or when `signal` is aborted
   */
  run(target: Target, seconds: number, signal: AbortSignal): Promise<Load>;
}

/** wrk where it is installed, else autocannon, which takes more of the machine for itself. */
export async function findLoadGenerator(connections: number): Promise<LoadGenerator> {
  return (await wrk(connections)) ?? autocannon(connections);
}
