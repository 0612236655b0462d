import { SingleBar } from 'cli-progress';

const lineIntervalMs = 30_000;

/** Shows progress: a bar on a terminal, otherwise a line every 30 seconds. */
export class DemoProgress {
  private readonly bar: SingleBar | undefined;
  private writtenAt = performance.now();

  /** @param label what is being done, in one or two words */
  constructor(private readonly label: string) {
    if (!process.stderr.isTTY) return;
    this.bar = new SingleBar({ format: `${label} {bar} {percentage} % | {state}`, barsize: 24, clearOnComplete: true });
    this.bar.start(1, 0, { state: '' });
  }

  /** @param share from 0 to 1 @param state a short text */
  update(share: number, state: string): void {
    this.bar?.update(Math.min(share, 1), { state });
    if (this.bar || performance.now() - this.writtenAt < lineIntervalMs) return;
    this.writtenAt = performance.now();
    process.stderr.write(`${this.label}: ${Math.round(share * 100)} %, ${state}\n`);
  }

  /** Removes the bar. */
  stop(): void {
    this.bar?.stop();
  }
}
