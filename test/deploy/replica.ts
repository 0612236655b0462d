import { freePort, startService } from '../process.js';

/** A replica that can be replaced by another with the same address and the same DATA_DIR. */
export interface Replica {
  port: number;
  url: string;
  /** Resolves when the new process is ready. */
  start(): Promise<void>;
  /** Sends SIGTERM and waits until the process has exited. */
  stop(): Promise<{ exitCode: number | NodeJS.Signals; tookMs: number }>;
}

/** Starts a replica on a port that it keeps after restarts. */
export async function startReplica(variables: NodeJS.ProcessEnv): Promise<Replica> {
  const port = await freePort();
  const start = () => startService({ ...variables, PORT: `${port}` });
  let process = await start();
  return {
    port,
    url: process.url,
    async start() {
      process = await start();
    },
    async stop() {
      const signaledAt = performance.now();
      process.child.kill('SIGTERM');
      const exitCode = await process.exited;
      return { exitCode, tookMs: performance.now() - signaledAt };
    },
  };
}
