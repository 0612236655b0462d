import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { createTestDatabase, skipOnEmbedded } from '../database.js';
import { startService } from '../process.js';
import { chromiumPath, launchChromium } from './chromium.js';

/**
 * For tests in a browser: `{ skip: needsBrowser }`. The page does not depend on the database, so they run once, in
 * `npm run test:postgres` and `npm run test:browser`. In CI a missing browser is a failure.
 */
export const needsBrowser =
  (!process.env.TEST_BROWSER && skipOnEmbedded) ||
  (!chromiumPath && !process.env.CI && 'needs Chromium on PATH, or CHROMIUM_PATH');

export const sizes = { desktop: { width: 1280, height: 800 }, phone: { width: 375, height: 812 } } as const;
export const colorSchemes = ['light', 'dark'] as const;

interface PageOptions {
  size?: keyof typeof sizes;
  colorScheme?: (typeof colorSchemes)[number];
  /** Expected errors in the console: browsers report each response with a status of 400 or higher. */
  expected?: RegExp;
  context?: BrowserContextOptions;
}

let browser: Promise<Browser> | undefined;

/** One browser for each test file, started when the first page is opened. */
function sharedBrowser() {
  browser ??= launchChromium().then((launched) => {
    t.teardown(() => launched.close());
    return launched;
  });
  return browser;
}

/** Starts the built service on a new database, with an admin key. */
export async function startDashboard(variables: NodeJS.ProcessEnv = {}) {
  const key = generateKey('mez');
  const service = await startService({ ...(await createTestDatabase()), BOOTSTRAP_ADMIN_KEY: key, ...variables });
  return { ...service, key };
}

/**
 * Opens a page with its own storage. The test fails at its end if there was an error in the page or on its console, a
 * violation of the content security policy, or a request to another server.
 *
 * @param url of the service
 */
export async function openPage(t: Test, url: string, options: PageOptions = {}): Promise<Page> {
  const { size = 'desktop', colorScheme = 'light', expected, context: others } = options;
  const context = await (await sharedBrowser()).newContext({ viewport: sizes[size], colorScheme, ...others });
  context.setDefaultTimeout(10_000);
  const pageErrors: string[] = [];
  // The console shows violations as well, but not those of a report-only policy.
  await context.addInitScript(() =>
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      console.error(`policy violated: ${violatedDirective} by ${blockedURI}`),
    ),
  );
  context.on('weberror', (error) => pageErrors.push(error.error().stack ?? String(error.error())));
  context.on('console', (message) => {
    const text = `${message.text()} (${message.location().url})`;
    if (message.type() === 'error' && !expected?.test(text)) pageErrors.push(text);
  });
  context.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`) && !/^(blob|data):/.test(request.url())) pageErrors.push(request.url());
  });
  t.teardown(async () => {
    await context.close();
    // Assertions are no longer possible in a teardown.
    if (pageErrors.length > 0) throw new Error(`the page had errors: ${pageErrors.join('\n')}`);
  });
  return context.newPage();
}

/** Opens the dashboard at `place`, such as `?view=keys`, and signs in. */
export async function openDashboard(t: Test, at: { url: string; key: string }, place = '', options: PageOptions = {}) {
  const page = await openPage(t, at.url, options);
  await page.goto(`${at.url}/dashboard${place}`);
  await page.getByLabel('Admin key').fill(at.key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Views' }).waitFor();
  return page;
}

/** Checks the page with all rules of axe-core. */
export async function checkAccessibility(t: Test, page: Page, what: string): Promise<void> {
  // Wait for animations to finish, so that contrast is measured at full opacity. One rejects when its element is removed.
  await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished.catch(() => {}))));
  if (await page.evaluate(() => window.axe === undefined)) await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run());
  const found = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`,
  );
  t.strictSame(found, [], `${what} is accessible`);
}

/** Checks that the page is no wider than the screen. Only tables may scroll sideways. */
export async function checkFits(t: Test, page: Page, what: string): Promise<void> {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  t.ok(overflow <= 0, `${what} is no wider than the screen`);
}

/** Checks accessibility and width on desktop and phone, light and dark. Leaves the page on a phone in dark mode. */
export async function checkEverySizeAndTheme(t: Test, page: Page, what: string): Promise<void> {
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
