import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { onPostgres, ownDatabase } from '../database.js';
import { startService } from '../process.js';
import { chromiumPath, launchChromium } from './chromium.js';

/**
 * For tests in a browser: `{ skip: needsBrowser }`. The page does not know what database there is, so they run once, in
 * `npm test`; in CI a missing browser is a failure.
 */
export const needsBrowser = onPostgres
  ? 'tests in a browser run on the embedded database: npm test'
  : !chromiumPath && !process.env.CI && 'needs Chromium on PATH, or CHROMIUM_PATH';

export const sizes = { desktop: { width: 1280, height: 800 }, phone: { width: 375, height: 812 } } as const;
export const colorSchemes = ['light', 'dark'] as const;

interface PageOptions {
  size?: keyof typeof sizes;
  colorScheme?: (typeof colorSchemes)[number];
  /** What the console may say although it is an error: a browser counts every answer from 400 on among them. */
  expected?: RegExp;
  context?: BrowserContextOptions;
}

let browser: Promise<Browser> | undefined;

/** One browser a file, from the first page on. */
function sharedBrowser() {
  browser ??= launchChromium().then((launched) => {
    t.teardown(() => launched.close());
    return launched;
  });
  return browser;
}

/** The service as it is deployed, on a database of this file's own, and an admin key for it. */
export async function startDashboard(variables: NodeJS.ProcessEnv = {}) {
  const key = generateKey('mez');
  const service = await startService({ ...(await ownDatabase()), BOOTSTRAP_ADMIN_KEY: key, ...variables });
  return { ...service, key };
}

/**
 * A page with storage of its own. When the test ends it fails if there was an error in the page or on its console, a
 * violation of the content security policy, or a request to anybody but the service.
 *
 * @param url of the service
 */
export async function openPage(t: Test, url: string, options: PageOptions = {}): Promise<Page> {
  const { size = 'desktop', colorScheme = 'light', expected, context: others } = options;
  const context = await (await sharedBrowser()).newContext({ viewport: sizes[size], colorScheme, ...others });
  context.setDefaultTimeout(10_000);
  const faults: string[] = [];
  // The console says it as well, but not where the policy only reports.
  await context.addInitScript(() =>
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      console.error(`policy violated: ${violatedDirective} by ${blockedURI}`),
    ),
  );
  context.on('weberror', (error) => faults.push(error.error().stack ?? String(error.error())));
  context.on('console', (message) => {
    const text = `${message.text()} (${message.location().url})`;
    if (message.type() === 'error' && !expected?.test(text)) faults.push(text);
  });
  context.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`) && !/^(blob|data):/.test(request.url())) faults.push(request.url());
  });
  t.teardown(async () => {
    await context.close();
    // The time for assertions is over.
    if (faults.length > 0) throw new Error(`the page was at fault: ${faults.join('\n')}`);
  });
  return context.newPage();
}

/** Opens the dashboard where `place` says, such as `?view=keys`, signed in. */
export async function openDashboard(t: Test, at: { url: string; key: string }, place = '', options: PageOptions = {}) {
  const page = await openPage(t, at.url, options);
  await page.goto(`${at.url}/dashboard${place}`);
  await page.getByLabel('Admin key').fill(at.key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Views' }).waitFor();
  return page;
}

/** Holds what is shown to axe-core's rules, all of them. */
export async function checkAccessibility(t: Test, page: Page, what: string): Promise<void> {
  // What appears slowly is measured at its full contrast.
  await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)));
  if (await page.evaluate(() => window.axe === undefined)) await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run());
  const found = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`,
  );
  t.strictSame(found, [], `${what} is accessible`);
}

/** Holds it to its width: nothing but tables scrolls to the side. */
export async function checkFits(t: Test, page: Page, what: string): Promise<void> {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  t.ok(overflow <= 0, `${what} is no wider than the screen`);
}

/** Both of these, on a desktop and on a phone, light and dark. The page is left as the last of them is. */
export async function checkEveryLook(t: Test, page: Page, what: string): Promise<void> {
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of colorSchemes) {
      await page.emulateMedia({ colorScheme });
      await checkAccessibility(t, page, `${what}, ${size}, ${colorScheme},`);
    }
    await checkFits(t, page, `${what}, ${size},`);
  }
}

declare global {
  interface Window {
    axe: typeof axe;
  }
}
