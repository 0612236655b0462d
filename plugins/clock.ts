/**
 * A clock that never goes back. It follows the host's clock until the first sync, then the database's time, advanced by the
 * monotonic clock. After that, changes of the host's clock have no effect.
 */
export class SteadyClock {
  /** The database's time minus the monotonic time. */
  private base: number | undefined;
  private last = 0;
  private lastAt = 0;
  private measuredOffsetMs: number | null = null;

  /** Milliseconds since 1970. */
  now(): number {
    const at = performance.now();
    const target = this.base === undefined ? Date.now() : this.base + at;
    // Never steps back: when ahead, it runs at half speed until the target catches up.
    this.last = target >= this.last ? target : this.last + (at - this.lastAt) / 2;
    this.lastAt = at;
    return Math.trunc(this.last);
  }

  /** How much the database's clock is ahead of the host's, in milliseconds; null until it was compared. */
  get offsetMs(): number | null {
    return this.measuredOffsetMs;
  }

  /**
   * Sets the clock by the database's.
   *
   * @param databaseMs milliseconds since 1970, read between the two moments that follow
   * @param queriedAt `performance.now()` before the query
   * @param respondedAt `performance.now()` after the response
   */
  sync(databaseMs: number, queriedAt: number, respondedAt: number): void {
    // The database read its clock between the two: the old estimate stays if it fits that range, else it is clamped to it.
    const [lowest, highest] = [databaseMs - respondedAt, databaseMs - queriedAt];
    const estimate = this.base ?? Date.now() - performance.now();
    this.base = Math.min(Math.max(estimate, lowest), highest);
    this.measuredOffsetMs = this.base + performance.now() - Date.now();
  }
}

/** The clock of this process, for ids, times and ranges. */
export const clock = new SteadyClock();
