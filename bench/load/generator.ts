/** The request that every connection repeats. */
export interface Target {
  url: string;
  /** The `Authorization` header. */
  authorization: string;
}

/** The result of a round of load. */
export interface Load {
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Requests with a 2xx response. */
  answered: number;
  /** Other responses, socket errors and timeouts. */
  failed: number;
}

/** A separate process that sends each request as soon as the previous one is answered. */
export interface LoadGenerator {
  name: 'wrk' | 'autocannon';
  version: string;
  /**
   * Sends requests to `target` for `seconds`.
   *
   * @throws when the program fails, or `signal` is aborted
   */
  run(target: Target, seconds: number, signal: AbortSignal): Promise<Load>;
}
