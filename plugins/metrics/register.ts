import { Counter, Gauge, type Registry } from 'prom-client';

interface Description {
  name: string;
  help: string;
}

interface Labelled extends Description {
  /** The name of the label. */
  label: string;
}

/** Registers a counter. `read` returns its current total, and is called at each scrape. */
export function registerCounter(metrics: Registry, description: Description, read: () => number): void {
  new Counter({
    ...description,
    registers: [metrics],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}

/** Registers a counter with a label. `read` returns the current total for each value of the label. */
export function registerCounters(metrics: Registry, { label, ...description }: Labelled, read: Read): void {
  new Counter({
    ...description,
    labelNames: [label],
    registers: [metrics],
    collect() {
      this.reset();
      for (const [value, total] of Object.entries(read())) this.inc({ [label]: value }, total);
    },
  });
}

/** Registers a gauge. `read` returns its current value, and is called at each scrape. */
export function registerGauge(metrics: Registry, description: Description, read: () => number): void {
  new Gauge({
    ...description,
    registers: [metrics],
    collect() {
      this.set(read());
    },
  });
}

/** Registers a gauge with a label. `read` returns the current value for each value of the label. */
export function registerGauges(metrics: Registry, { label, ...description }: Labelled, read: Read): void {
  new Gauge({
    ...description,
    labelNames: [label],
    registers: [metrics],
    collect() {
      for (const [name, value] of Object.entries(read())) this.set({ [label]: name }, value);
    },
  });
}

/** The value of a metric for each value of its label. */
type Read = () => Record<string, number>;
