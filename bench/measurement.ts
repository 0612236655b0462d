import type { Contender } from './contenders.js';
import type { LoadGenerator } from './load/generator.js';
import type { Round } from './results.js';
import { type RecordCounts, waitUntilWritten } from './rows.js';

const sampleIntervalMs = 250;

/** Puts load on one server and collects the measurements. */
export class Measurement {
  readonly rounds: Round[] = [];
  answered: number;
  failed = 0;
  residentBytes = 0;
  /** Of the last load. */
  lastRequestsPerSecond = 0;
  /** Runs during each load, and stops when the signal is aborted. */
  duringLoad: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** The server's own count of its records after the last load. */
  records: RecordCounts | undefined;
  readonly contender: Contender;
  private readonly generator: LoadGenerator;

  constructor(contender: Contender, generator: LoadGenerator) {
    this.contender = contender;
    this.generator = generator;
    this.answered = contender.setupRequestCount;
  }

  /**
   * Puts load on the server for `seconds`. The CPU time to write the remaining records counts as well.
   *
   * @returns the round, which is not added to `rounds`
   */
  async drive(seconds: number, signal: AbortSignal): Promise<Round> {
    const { server, target, scratch } = this.contender;
    const before = await server.usage();
    const sampling = this.sampleMemory();
    const loadEnd = new AbortController();
    try {
      const loading = this.generator.run(target, seconds, signal).finally(() => loadEnd.abort());
      const [load] = await Promise.all([loading, this.duringLoad?.(loadEnd.signal)]);
      signal.throwIfAborted();
      this.answered += load.answered;
      this.failed += load.failed;
      if (scratch) this.records = await waitUntilWritten(server, signal);
      const after = await server.usage();
      const { requestsPerSecond, p50Ms, p99Ms } = load;
      this.lastRequestsPerSecond = requestsPerSecond;
      const cpuMicrosecondsPerRequest =
        (after.cpuMicroseconds - before.cpuMicroseconds) / (load.answered + load.failed);
      return { requestsPerSecond, p50Ms, p99Ms, cpuMicrosecondsPerRequest };
    } finally {
      clearInterval(sampling);
    }
  }

  private sampleMemory() {
    const sample = async () => {
      const { residentBytes } = await this.contender.server.usage();
      this.residentBytes = Math.max(this.residentBytes, residentBytes);
    };
    // The load generator reports a server that has ended.
    return setInterval(() => void sample().catch(() => {}), sampleIntervalMs);
  }
}
