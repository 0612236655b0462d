/** Shows the progress on standard error, a line for each step: its label, the remaining seconds, and its outcome. */
export class Progress {
  private readonly isTerminal = process.stderr.isTTY;
  private timer: NodeJS.Timeout | undefined;
  private isOpen = false;

  /**
   * Begins a step.
   *
   * @param label what is being done
   * @param secondsLeft the estimated seconds until the whole run ends
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
    // A log file has each line once.
    if (this.isTerminal && secondsLeft !== undefined) this.timer = setInterval(show, 1000);
  }

  /** Ends the step with its outcome. */
  end(outcome: string): void {
    this.close(`: ${outcome}`);
  }

  /** Ends the step without an outcome. Does nothing between steps. */
  stop(): void {
    if (this.isOpen) this.close('');
  }

  private close(rest: string) {
    clearInterval(this.timer);
    this.isOpen = false;
    process.stderr.write(`${rest}\n`);
  }
}
