import { SingleBar } from 'cli-progress';

const lineEveryMs = 30_000;

/** How far something is: a bar on a terminal, elsewhere a line now and then. */
export class DemoProgress {
  private readonly bar: SingleBar | undefined;
  private saidAt = performance.now();

  /** @param label what is being done, in one or two words */
  constructor(private readonly label: string) {
    if (!process.stderr.isTTY) return;
    this.bar = new SingleBar({ format: `${label} {bar} {percentage} % | {state}`, barsize: 24, clearOnComplete: true });
    this.bar.start(1, 0, { state: '' });
  }

  /** @param share from 0 to 1 @param state how it stands, in a few words */
  update(share: number, state: string): void {
    this.bar?.update(Math.min(share, 1), { state });
    if (this.bar || performance.now() - this.saidAt < lineEveryMs) return;
    this.saidAt = performance.now();
    process.stderr.write(`${this.label}: ${Math.round(share * 100)} %, ${state}\n`);
  }

  /** Takes the bar away. */
  stop(): void {
    this.bar?.stop();
  }
}
