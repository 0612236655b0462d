import t from 'tap';
import { needsBrowser, openDashboard, startDashboard } from './browser.js';

const requestsPerSecond = 500;
const seconds = 10;
const maxFrameMs = 35;
const maxGrowthBytes = 8 * 2 ** 20;

t.test(
  'with 500 requests a second the live list stays smooth, and memory does not grow',
  { skip: needsBrowser },
  async (t) => {
    const dashboard = await startDashboard();
    const page = await openDashboard(t, dashboard, '?view=requests');
    await page.getByText('Live', { exact: true }).waitFor();
    const devtools = await page.context().newCDPSession(page);
    const heapBytes = async () => {
      await devtools.send('HeapProfiler.collectGarbage');
      return (await devtools.send('Runtime.getHeapUsage')).usedSize;
    };
    // The list is full, and the code is compiled.
    const warmUp = sendRequests(dashboard.url, 3);
    await warmUp;
    const before = await heapBytes();

    const sending = sendRequests(dashboard.url, seconds);
    const frames = await page.evaluate(async (ms) => {
      const frames: number[] = [];
      let last = performance.now();
      const end = last + ms;
      while (last < end) {
        const now = await new Promise<number>((resolve) => requestAnimationFrame(() => resolve(performance.now())));
        frames.push(now - last);
        last = now;
      }
      return frames.sort((a, b) => a - b);
    }, seconds * 1_000);
    const sent = await sending;
    t.ok(sent > (requestsPerSecond * seconds) / 2, `${sent} requests were sent`);
    const p95 = frames[Math.floor(frames.length * 0.95)] ?? Number.POSITIVE_INFINITY;
    t.ok(p95 < maxFrameMs, `95 of 100 frames took at most ${p95.toFixed(1)} ms`);
    t.comment(`p95 of ${frames.length} frames: ${p95.toFixed(1)} ms, longest: ${frames.at(-1)?.toFixed(1)} ms`);
    const growth = (await heapBytes()) - before;
    t.ok(growth < maxGrowthBytes, `the heap grew by ${(growth / 2 ** 20).toFixed(1)} MiB`);
    t.comment(`the heap grew by ${(growth / 2 ** 20).toFixed(1)} MiB`);
    t.equal(await page.locator('.opens-row').count(), 50);
  },
);

/** @returns the number of requests */
async function sendRequests(url: string, seconds: number): Promise<number> {
  const startedAt = performance.now();
  let sent = 0;
  for (;;) {
    const elapsed = (performance.now() - startedAt) / 1_000;
    if (elapsed >= seconds) return sent;
    const due = Math.min(Math.floor(elapsed * requestsPerSecond) - sent, 100);
    await Promise.all(Array.from({ length: due }, async () => (await fetch(`${url}/absent/${sent++}`)).body?.cancel()));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
