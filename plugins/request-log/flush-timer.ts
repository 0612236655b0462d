import { inBackground } from '../background.js';

/** Calls `flush` once an interval while it is set, and sooner on demand. Does not keep the process alive. `flush` is in no trace. */
export class FlushTimer {
  private readonly intervalMs: number;
  private readonly flush: () => void;
  private timer: NodeJS.Timeout | undefined;
  private earlyTimer: NodeJS.Timeout | undefined;
  private isStopped = false;

  constructor(intervalMs: number, flush: () => void) {
    this.intervalMs = intervalMs;
    this.flush = flush;
  }

  /** Flushes after the interval. */
  set(): void {
    if (this.isStopped) return;
    this.timer ??= this.start(this.intervalMs, () => {
      this.timer = undefined;
    });
  }

  /** Flushes after a third of the interval. */
  setEarly(): void {
    if (this.isStopped) return;
    this.earlyTimer ??= this.start(this.intervalMs / 3, () => {
      this.earlyTimer = undefined;
    });
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.earlyTimer);
  }

  private start(delayMs: number, reset: () => void) {
    const onTimeout = () => {
      reset();
      this.flush();
    };
    return inBackground(() => setTimeout(onTimeout, delayMs)).unref();
  }
}
