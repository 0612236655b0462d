// Loaded into the tested process with --import. At each SIGWINCH it collects garbage and prints memory and resources.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

// --import runs in worker threads as well, and they share the process's figures.
if (isMainThread) {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc');
  let reportCount = 0;
  process.on('SIGWINCH', () => {
    collectGarbage();
    const { heapUsed, rss } = process.memoryUsage();
    const resources = process.getActiveResourcesInfo();
    process.stdout.write(`vitals ${++reportCount} ${JSON.stringify({ heapUsed, rss, resources })}\n`);
  });
}
