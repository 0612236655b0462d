// Loaded into the soaked process with --import: prints, at each SIGWINCH, what the process holds once garbage is collected.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

// --import runs in worker threads as well, and they share the process's figures.
if (isMainThread) {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc');
  let asked = 0;
  process.on('SIGWINCH', () => {
    collectGarbage();
    const { heapUsed, rss } = process.memoryUsage();
    const resources = process.getActiveResourcesInfo();
    process.stdout.write(`vitals ${++asked} ${JSON.stringify({ heapUsed, rss, resources })}\n`);
  });
}
