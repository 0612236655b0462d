// Loaded into each measured process with --import: reports its CPU and memory use to the parent on request.
import { isMainThread } from 'node:worker_threads';

// --import runs in worker threads as well, and they share the process's figures.
if (isMainThread && process.send) {
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMicroseconds: user + system, residentBytes: process.memoryUsage.rss() });
  });
  // Stops the server when the benchmark was killed.
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  // The channel alone does not keep the process running.
  process.channel?.unref();
}
