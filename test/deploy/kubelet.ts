import type { ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IProbe } from 'kubernetes-models/v1/Probe';

type ProbeName = 'startup' | 'readiness' | 'liveness';

export interface PodOptions extends Pick<IContainer, `${ProbeName}Probe`> {
  terminationGracePeriodSeconds: number;
  /** Starts the container, which listens on `port`. */
  start(): Container;
  port: number;
  /**
   * The duration of one Kubernetes second here, in milliseconds. Probe timeouts are not shortened: they depend on the
   * process and its machine, and cost no time if a response arrives.
   */
  secondMs: number;
}

interface Container {
  child: Pick<ChildProcess, 'kill'>;
  exited: Promise<number | NodeJS.Signals>;
}

/**
 * A pod with one container that is started, probed and restarted like by the kubelet, but without the growing backoff
 * before repeated restarts.
 *
 * @see https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes
 */
export class Pod {
  /** The events of the pod: `started`, `ready`, `unready`, `killed` and `exited`, in order. */
  readonly events: string[] = [];
  /** Every probe result, in order. */
  readonly results: { probe: ProbeName; isSuccess: boolean }[] = [];
  /** Whether the pod receives requests. */
  isReady = false;

  private readonly options: PodOptions;
  private readonly progress = new EventEmitter();
  private container: Container | undefined;
  private startedAt = 0;
  private isStarted = false;
  private isDeleted = false;

  constructor(options: PodOptions) {
    this.options = options;
    void this.run();
    for (const probe of ['startup', 'readiness', 'liveness'] as const) void this.keepProbing(probe);
  }

  /** Waits until the condition is true. The timeout of the test is the limit. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.progress, 'news');
  }

  /** Returns the number of results of a probe so far. */
  count(probe: ProbeName): number {
    return this.results.filter((answer) => answer.probe === probe).length;
  }

  /** Terminates the pod like a deletion. Resolves when the container has exited. */
  async delete(): Promise<void> {
    this.isDeleted = true;
    if (this.container) await this.stop(this.container);
  }

  private async run() {
    while (!this.isDeleted) {
      this.isStarted = false;
      this.startedAt = performance.now();
      this.container = this.options.start();
      const code = await this.container.exited;
      this.container = undefined;
      this.setReady(false);
      this.addEvent(`exited ${code}`);
    }
  }

  private async stop(container: Container) {
    container.child.kill('SIGTERM');
    const graceMs = this.options.terminationGracePeriodSeconds * this.options.secondMs;
    const timer = setTimeout(() => container.child.kill('SIGKILL'), graceMs);
    await container.exited;
    clearTimeout(timer);
  }

  private async keepProbing(probe: ProbeName) {
    const { secondMs } = this.options;
    const spec = this.options[`${probe}Probe`];
    if (!spec) throw new Error(`there is no ${probe} probe`);
    const { periodSeconds = 10, initialDelaySeconds = 0, failureThreshold = 3, successThreshold = 1 } = spec;
    let failedFor: Container | undefined;
    let last: boolean | undefined;
    let run = 0;
    let next = performance.now();
    // After a deletion only the readiness probe continues.
    while (!this.isDeleted || (probe === 'readiness' && this.container)) {
      next = Math.max(next + periodSeconds * secondMs, performance.now());
      await sleep(next - performance.now());
      const { container } = this;
      const isDue =
        container &&
        container !== failedFor &&
        performance.now() >= this.startedAt + initialDelaySeconds * secondMs &&
        this.isStarted === (probe !== 'startup');
      if (!isDue) continue;
      const isSuccess = await this.sendProbe(spec);
      // The container may have been replaced during the probe.
      if (container !== this.container) continue;
      run = isSuccess === last ? run + 1 : 1;
      last = isSuccess;
      this.results.push({ probe, isSuccess });
      if (run >= (isSuccess ? successThreshold : failureThreshold)) {
        this.applyResult(probe, isSuccess, container);
        if (!isSuccess && probe !== 'readiness') {
          failedFor = container;
          run = 0;
        }
      }
      this.progress.emit('news');
    }
  }

  private applyResult(probe: ProbeName, isSuccess: boolean, container: Container) {
    if (probe === 'readiness') return this.setReady(isSuccess);
    if (!isSuccess) {
      this.addEvent('killed');
      void this.stop(container);
    } else if (probe === 'startup') {
      this.isStarted = true;
      this.addEvent('started');
    }
  }

  private setReady(isReady: boolean) {
    if (isReady === this.isReady) return;
    this.isReady = isReady;
    this.addEvent(isReady ? 'ready' : 'unready');
  }

  private addEvent(event: string) {
    this.events.push(event);
    this.progress.emit('news');
  }

  /** A status from 200 to 399 within the timeout is a success. Each probe uses a new connection. */
  private sendProbe({ httpGet, timeoutSeconds = 1 }: IProbe): Promise<boolean> {
    return new Promise((resolve) => {
      const signal = AbortSignal.timeout(timeoutSeconds * 1_000);
      const { port } = this.options;
      get({ host: '127.0.0.1', port, path: httpGet?.path, agent: false, signal }, (response) => {
        const { statusCode = 0 } = response;
        response.resume().once('end', () => resolve(statusCode >= 200 && statusCode < 400));
        response.once('error', () => resolve(false));
      }).once('error', () => resolve(false));
    });
  }
}
