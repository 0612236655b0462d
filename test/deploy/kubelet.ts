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
   * How long one of Kubernetes' seconds takes here, in milliseconds. A probe's time-out is not shortened: it is about the
   * process and the machine that it runs on, and costs nothing where there is an answer.
   */
  secondMs: number;
}

interface Container {
  child: Pick<ChildProcess, 'kill'>;
  exited: Promise<number | NodeJS.Signals>;
}

/**
 * A pod of one container, started, asked and restarted as by the kubelet. What is left out is the growing pause before a
 * container is started again and again.
 *
 * @see https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes
 */
export class Pod {
  /** What happened to it: `started`, `ready`, `unready`, `killed` and `exited`, in order. */
  readonly events: string[] = [];
  /** Every answer to a probe, in order. */
  readonly answers: { probe: ProbeName; isSuccess: boolean }[] = [];
  /** Whether requests are sent here. */
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

  /** Waits until something has happened. The test's own time-out is the limit. */
  async until(happened: () => boolean): Promise<void> {
    while (!happened()) await once(this.progress, 'news');
  }

  /** How often a probe has been answered so far. */
  count(probe: ProbeName): number {
    return this.answers.filter((answer) => answer.probe === probe).length;
  }

  /** Ends it as the deletion of a pod does; resolves when it is gone. */
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
      this.note(`exited ${code}`);
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
    // Of a pod that is deleted only the readiness is still of interest.
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
      const isSuccess = await this.ask(spec);
      // Meanwhile it may have been replaced.
      if (container !== this.container) continue;
      run = isSuccess === last ? run + 1 : 1;
      last = isSuccess;
      this.answers.push({ probe, isSuccess });
      if (run >= (isSuccess ? successThreshold : failureThreshold)) {
        this.conclude(probe, isSuccess, container);
        if (!isSuccess && probe !== 'readiness') {
          failedFor = container;
          run = 0;
        }
      }
      this.progress.emit('news');
    }
  }

  private conclude(probe: ProbeName, isSuccess: boolean, container: Container) {
    if (probe === 'readiness') return this.setReady(isSuccess);
    if (!isSuccess) {
      this.note('killed');
      void this.stop(container);
    } else if (probe === 'startup') {
      this.isStarted = true;
      this.note('started');
    }
  }

  private setReady(isReady: boolean) {
    if (isReady === this.isReady) return;
    this.isReady = isReady;
    this.note(isReady ? 'ready' : 'unready');
  }

  private note(event: string) {
    this.events.push(event);
    this.progress.emit('news');
  }

  /** Any status from 200 to 399 within the time-out is a success. Each time the connection is a new one. */
  private ask({ httpGet, timeoutSeconds = 1 }: IProbe): Promise<boolean> {
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
