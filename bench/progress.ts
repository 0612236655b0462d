/** One line at a time on standard error: what is being done, the seconds left in all, then how it came out. */
export class Progress {
  private readonly isTerminal = process.stderr.isTTY;
  private ticking: NodeJS.Timeout | undefined;
  private isOpen = false;

  /**
   * Begins a step.
   *
   * @param label what is being done
   * @param secondsLeft until the whole run ends, as far as one can tell
   */
  begin(label: string, secondsLeft?: number): void {
    const endsAt = performance.now() + (secondsLeft ?? 0) * 1000;
    const show = () => {
      const left = Math.max(0, Math.round((endsAt - performance.now()) / 1000));
      const wait = secondsLeft === undefined ? '' : `, ${left} s left`;
      process.stderr.write(`${this.isTerminal ? '\r\x1b[K' : ''}${label}${wait}`);
    };
    show();
    this.isOpen = true;
    // A log file gets the line once.
    if (this.isTerminal && secondsLeft !== undefined) this.ticking = setInterval(show, 1000);
  }

  /** Ends the step with its outcome. */
  end(outcome: string): void {
    this.close(`: ${outcome}`);
  }

  /** Gives up on the step; does nothing between steps. */
  stop(): void {
    if (this.isOpen) this.close('');
  }

  private close(rest: string) {
    clearInterval(this.ticking);
    this.isOpen = false;
    process.stderr.write(`${rest}\n`);
  }
}
