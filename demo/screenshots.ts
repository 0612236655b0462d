import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { type Defer, withCleanup } from '../scripts/cleanup.js';
import { CommandError, parseCommandLine } from '../src/cli/command-line.js';
import { chromiumPath, launchChromium } from '../test/browser/chromium.js';
import { DemoProgress } from './progress.js';
import { type DemoService, startDemo } from './service.js';
import { sendTraffic } from './traffic.js';

const usage = `Usage: npm run screenshots

Takes screenshots of the dashboard with the data of the demo, in Chromium, and writes them to docs/images.

Example: CHROMIUM_PATH=/usr/bin/chromium npm run screenshots
`;

const images = join(import.meta.dirname, '../docs/images');
const trafficMs = 45_000;
const desktop = { width: 1280, height: 800 };
const phone = { width: 375, height: 812 };

const pictures = [
  { name: 'overview', query: '?view=overview&range=24h', viewport: { width: 1280, height: 1060 } },
  { name: 'dark', query: '?view=overview&range=24h', viewport: { width: 1280, height: 1060 }, colorScheme: 'dark' },
  { name: 'requests', query: '?view=requests', viewport: desktop },
  { name: 'keys', query: '?view=keys', viewport: desktop },
  { name: 'health', query: '?view=health', viewport: desktop, afterMs: 15_000 },
  { name: 'phone', query: '?view=overview&range=24h', viewport: phone },
] as const;

try {
  const { values } = parseCommandLine('npm run screenshots --', { options: { help: { type: 'boolean', short: 'h' } } });
  if (values.help) process.stdout.write(usage);
  else if (chromiumPath !== undefined) await withCleanup(takeAll);
  else throw new CommandError('Chromium was not found: install it, or set CHROMIUM_PATH to its path');
} catch (error) {
  if (!(error instanceof CommandError)) throw error;
  process.stderr.write(`screenshots: ${error.message}\n`);
  process.exitCode = 1;
}

async function takeAll(defer: Defer) {
  const progress = new DemoProgress('screenshots');
  defer(async () => progress.stop());
  const demo = await startDemo({ port: '0', onProgress: (share) => progress.update(share / 2, 'history') }, defer);
  const traffic = new AbortController();
  demo.startOutageSchedule();
  const sending = sendTraffic(demo.origin, demo.adminKey, demo.clients, () => {}, traffic.signal);
  defer(async () => {
    traffic.abort();
    await sending;
  });
  progress.update(0.5, 'traffic');
  await sleep(trafficMs);

  const browser = await launchChromium();
  defer(() => browser.close());
  await mkdir(images, { recursive: true });
  for (const [i, picture] of pictures.entries()) {
    progress.update(0.6 + (0.4 * i) / pictures.length, picture.name);
    await take(browser, demo, picture);
  }
}

async function take(browser: Browser, { origin, adminKey }: DemoService, picture: (typeof pictures)[number]) {
  const { name, query, viewport, colorScheme, afterMs } = { colorScheme: 'light', afterMs: 2_000, ...picture } as const;
  const context = await browser.newContext({ viewport, colorScheme });
  const page = await context.newPage();
  await page.goto(`${origin}/dashboard${query}`);
  await page.getByLabel('Admin key').fill(adminKey);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Views' }).waitFor();
  await sleep(afterMs);
  await page.screenshot({ path: join(images, `dashboard-${name}.png`) });
  await context.close();
}
