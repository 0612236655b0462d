/** Calls `flush` once an interval while it is set, and sooner on demand. Does not keep the process alive. */
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
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.flush();
    }, this.intervalMs).unref();
  }

  /** Flushes after a third of the interval. */
  setEarly(): void {
    if (this.isStopped) return;
    this.earlyTimer ??= setTimeout(() => {
      this.earlyTimer = undefined;
      this.flush();
    }, this.intervalMs / 3).unref();
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.earlyTimer);
  }
}
