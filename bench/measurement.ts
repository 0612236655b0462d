import type { Contender } from './contenders.js';
import type { LoadGenerator } from './load/index.js';
import type { Round } from './results.js';
import { type RecordCounts, settled } from './rows.js';

const sampleEveryMs = 250;

/** Puts load on one server and keeps what is seen. */
export class Measurement {
  readonly rounds: Round[] = [];
  answered: number;
  failed = 0;
  residentBytes = 0;
  /** What the server says of its records since the last load. */
  records: RecordCounts | undefined;
  readonly contender: Contender;
  private readonly generator: LoadGenerator;

  constructor(contender: Contender, generator: LoadGenerator) {
    this.contender = contender;
    this.generator = generator;
    this.answered = contender.askedBefore;
  }

  /**
   * Drives the server for so many seconds. What it then still has to write is part of what a request costs.
   *
   * @returns the round, which is not counted yet
   */
  async drive(seconds: number, signal: AbortSignal): Promise<Round> {
    const { server, target, scratch } = this.contender;
    const before = await server.usage();
    const sampling = this.sampleMemory();
    try {
      const load = await this.generator.run(target, seconds, signal);
      signal.throwIfAborted();
      this.answered += load.answered;
      this.failed += load.failed;
      if (scratch) this.records = await settled(server, signal);
      const after = await server.usage();
      const { requestsPerSecond, p50Ms, p99Ms } = load;
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
    // A server that has ended is noticed by whoever drives it.
    return setInterval(() => void sample().catch(() => {}), sampleEveryMs);
  }
}
