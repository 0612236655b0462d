// Loaded into each measured process with --import: tells the parent what the process has used, when asked.
import { isMainThread } from 'node:worker_threads';

// --import runs in worker threads as well, and they share the process's figures.
if (isMainThread && process.send) {
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMicroseconds: user + system, residentBytes: process.memoryUsage.rss() });
  });
  // Nothing outlives a benchmark that was killed.
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  // The channel alone is no reason to stay.
  process.channel?.unref();
}
