import { readFileSync } from 'node:fs';
import t from 'tap';
import { untilStatus } from '../process.js';
import {
  checkAccessibility,
  checkEverySizeAndTheme,
  needsBrowser,
  openDashboard,
  openPage,
  startDashboard,
} from './browser.js';

/** The time within which a new request must be visible. */
const soon = { timeout: 3_000 };

t.test('the overview and the requests', { skip: needsBrowser }, async (t) => {
  const dashboard = await startDashboard({ TRACE_URL: 'https://tempo.example/trace/{traceId}' });
  const { url, key } = dashboard;
  const headers = { authorization: `Bearer ${key}` };
  const request = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${url}${path}`, init);
    await response.body?.cancel();
    return response.headers.get('x-request-id') as string;
  };
  for (let i = 0; i < 12; i++) await request('/v1/me', { headers });
  for (let i = 0; i < 3; i++) await request('/v1/me');
  for (let i = 0; i < 60; i++) await request(`/lost/${i}`);

  t.test('a new request appears within three seconds, and its details show its fields', async (t) => {
    const context = { permissions: ['clipboard-read', 'clipboard-write'] };
    const page = await openDashboard(t, dashboard, '?view=requests', { context });
    await page.getByText('Live', { exact: true }).waitFor();
    const id = await request('/just-made', { headers: { 'user-agent': 'a test' } });
    const row = page.getByRole('link', { name: 'GET /just-made' });
    await row.waitFor(soon);

    await row.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Request' });
    await dialog.getByText('a test').waitFor();
    const { createdAt } = (await (await fetch(`${url}/v1/request-logs/${id}`, { headers })).json()) as {
      createdAt: string;
    };
    const text = await dialog.innerText();
    for (const field of [id, createdAt, 'GET', '/just-made', '404', '127.0.0.1']) t.match(text, field);
    t.equal(new URL(page.url()).searchParams.get('request'), id, 'the URL identifies the request');
    await dialog.getByRole('button', { name: 'Copy the id' }).click();
    await dialog.getByText('Copied').waitFor();
    t.equal(await page.evaluate(() => navigator.clipboard.readText()), id);

    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    t.ok(await row.evaluate((element) => element === document.activeElement), 'focus returns to the row');
  });

  t.test('while paused the list does not change and counts new requests; resuming shows them', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=requests&path=/paused');
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    for (let i = 0; i < 3; i++) await request('/paused');
    const resume = page.getByRole('button', { name: 'Resume (3 new)' });
    await resume.waitFor(soon);
    t.equal(await page.locator('.opens-row').count(), 0);
    await resume.click();
    await page.locator('.opens-row').nth(2).waitFor(soon);
    await request('/paused');
    await page.locator('.opens-row').nth(3).waitFor(soon);
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await page.getByLabel('Search requests').fill('404');
    await page.keyboard.press('Enter');
    await page.waitForURL(/paused=true.*statusCode=404|statusCode=404.*paused=true/);
    await page.locator('.opens-row').first().waitFor();
    await page.getByText('Paused', { exact: true }).waitFor();
    await request('/paused');
    await page.getByRole('button', { name: 'Resume (1 new)' }).waitFor(soon);
  });

  t.test('filters are typed in one box, are in the URL, and survive a reload and going back', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=requests');
    const rows = page.locator('.opens-row');
    const search = page.getByLabel('Search requests');
    const chips = page.getByRole('list', { name: 'Filters' });
    await page.getByText('Live', { exact: true }).waitFor();
    await search.fill('path:/v1/me');
    await request('/passing');
    await page.getByText('GET /passing').waitFor(soon);
    t.equal(await search.inputValue(), 'path:/v1/me', 'half-typed input stays while rows arrive');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/dashboard?view=requests&path=%2Fv1%2Fme');
    await search.fill('401');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/dashboard?view=requests&path=%2Fv1%2Fme&statusCode=401');
    await page.waitForFunction(() => document.querySelectorAll('.opens-row').length === 3);
    await page.reload();
    await rows.nth(2).waitFor();
    t.equal(await rows.count(), 3);
    await chips.getByText('status 401').waitFor();
    await page.goBack();
    await page.waitForFunction(() => document.querySelectorAll('.opens-row').length > 3);
    t.equal(await chips.getByText('status 401').count(), 0);
    await page.getByRole('button', { name: 'Remove the filter /v1/me' }).click();
    await page.waitForURL('**/dashboard?view=requests');
    await page.getByText('GET /lost/59').waitFor();

    await search.fill('42');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('“42” is not a status.').waitFor();
    t.equal(new URL(page.url()).search, '?view=requests', 'what is not understood is not applied');
  });

  t.test('classes of statuses, durations, parts of paths and missing keys can be searched', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=requests');
    const search = page.getByLabel('Search requests');
    const count = (n: number) => page.waitForFunction((n) => document.querySelectorAll('.opens-row').length === n, n);
    await search.fill('/v1/m 4xx key:none');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: '24 h', pressed: true }).waitFor();
    t.equal(await page.getByRole('button', { name: 'Any time' }).count(), 0, 'this search reads all rows of its range');
    await count(3);
    await search.fill('>30s');
    await page.keyboard.press('Enter');
    await page.getByText('No requests match.').waitFor();
    await page.getByRole('button', { name: 'Remove the filter at least 30 s' }).click();
    await count(3);
    await page.getByRole('button', { name: 'Clear' }).click();

    await page.getByRole('button', { name: '+ Filter' }).click();
    const dialog = page.getByRole('dialog', { name: 'Add a filter' });
    await checkEverySizeAndTheme(t, page, 'the form of a filter');
    await page.setViewportSize({ width: 1280, height: 800 });
    await dialog.getByLabel('Filter').selectOption('Key');
    await dialog.getByLabel('Key', { exact: true }).fill('bootst');
    await dialog.getByRole('button', { name: /^bootstrap mez_/ }).click();
    await page.getByText('key bootstrap').waitFor();
    await page.waitForURL(/apiKeyId=/);
    await checkEverySizeAndTheme(t, page, 'a filter');
  });

  t.test('the list can be filtered by address and by part of the user agent, within a day', async (t) => {
    const agent = `probe-${crypto.randomUUID().slice(0, 8)}`;
    await request('/by-agent', { headers: { 'user-agent': `${agent}/1.0` } });
    const page = await openDashboard(t, dashboard, '?view=requests');
    const search = page.getByLabel('Search requests');
    const count = (n: number) => page.waitForFunction((n) => document.querySelectorAll('.opens-row').length === n, n);
    await search.fill(`agent:${agent.toUpperCase()}`);
    await page.keyboard.press('Enter');
    await page.waitForURL(/userAgent=PROBE-/);
    await page.getByRole('button', { name: '24 h', pressed: true }).waitFor();
    await count(1);
    await search.fill('203.0.113.7');
    await page.keyboard.press('Enter');
    await page.waitForURL(/ip=203/);
    await count(0);
    await page.getByRole('button', { name: 'Remove the filter 203.0.113.7' }).click();
    await page.locator('.opens-row').click();
    await page.getByRole('link', { name: 'Only these: Address' }).click();
    await page.waitForURL(/ip=127\.0\.0\.1/);
    await count(1);
  });

  t.test('the trace of a request is shown with a link, and found by its id', async (t) => {
    const traceId = crypto.randomUUID().replaceAll('-', '');
    await request('/traced', { headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } });
    const page = await openDashboard(t, dashboard, '?view=requests');
    await page.getByLabel('Search requests').fill(traceId);
    await page.keyboard.press('Enter');
    await page.waitForURL(new RegExp(`traceId=${traceId}`));
    await page.getByRole('link', { name: 'GET /traced' }).click();
    const link = page.getByRole('dialog').getByRole('link', { name: traceId });
    await link.waitFor();
    t.equal(await link.getAttribute('href'), `https://tempo.example/trace/${traceId}`);
  });

  t.test('the slowest requests of a range are listed first', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=requests');
    await page.getByRole('link', { name: 'Duration' }).click();
    await page.waitForURL(/sort=slowest/);
    await page.getByText('Slowest first').waitFor();
    const isSorted = async () => {
      const durations = await page.locator('tbody td:nth-child(4)').allInnerTexts();
      const ms = durations.map((text) => Number.parseFloat(text) * (text.endsWith(' s') ? 1_000 : 1));
      return ms.length > 3 && ms.every((duration, i) => i === 0 || duration <= (ms[i - 1] ?? 0));
    };
    await page.locator('.opens-row').nth(3).waitFor();
    t.ok(await isSorted());
    for (const letter of 'gk') await page.keyboard.press(letter);
    await page.getByRole('link', { name: 'bootstrap', exact: true }).waitFor();
    await page.goBack();
    await page.locator('.opens-row').nth(3).waitFor();
    t.ok(await isSorted(), 'also after going back');
  });

  t.test('rows do not move under the pointer, and are shown when it leaves', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=requests&path=/held');
    await page.getByText('Live', { exact: true }).waitFor();
    await request('/held');
    const rows = page.locator('.opens-row');
    await rows.first().waitFor(soon);
    await rows.first().hover();
    await request('/held');
    await page.getByRole('button', { name: 'Show 1 new' }).waitFor(soon);
    t.equal(await rows.count(), 1);
    await page.mouse.move(0, 0);
    await rows.nth(1).waitFor(soon);
    t.equal(await page.getByText('Show 1 new').count(), 0);

    await page.keyboard.press('j');
    await request('/held');
    await page.getByRole('button', { name: 'Show 1 new' }).waitFor(soon);
    await page.keyboard.press('j');
    t.equal(await rows.count(), 2, 'the focus can move between rows');
    t.ok(await rows.nth(1).evaluate((row) => row === document.activeElement));
    await page.getByRole('button', { name: 'Show 1 new' }).click();
    await rows.nth(2).waitFor();
  });

  t.test('older pages are appended without duplicates', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=requests&statusCode=404&method=GET');
    await page.getByRole('button', { name: 'Show older' }).click();
    await page.getByText('GET /lost/0', { exact: true }).waitFor();
    const paths = await page.locator('.opens-row').allInnerTexts();
    const lost = paths.filter((path) => path.includes('/lost/'));
    t.equal(lost.length, 60);
    t.equal(new Set(lost).size, 60);
    t.equal(
      await page.getByText('Paused', { exact: true }).count(),
      1,
      'the list is paused, so that new rows do not push them out',
    );
    await page.locator('.opens-row').last().scrollIntoViewIfNeeded();
    const scrolled = await page.evaluate(() => window.scrollY);
    t.ok(scrolled > 0);
    for (const letter of 'gk') await page.keyboard.press(letter);
    await page.getByRole('link', { name: 'bootstrap', exact: true }).waitFor();
    await page.goBack();
    await page.getByText('GET /lost/0', { exact: true }).waitFor();
    t.ok((await page.locator('.opens-row').count()) >= paths.length, 'going back restores the loaded rows');
    await page.waitForFunction((y) => window.scrollY === y, scrolled);
    await page.goForward();
    await page.getByRole('link', { name: 'bootstrap', exact: true }).waitFor();
    for (const letter of 'gr') await page.keyboard.press(letter);
    await page.locator('.opens-row').nth(40).scrollIntoViewIfNeeded();
    await page.waitForFunction(() => (window.history.state as { scrollY?: number } | null)?.scrollY === window.scrollY);
    const further = await page.evaluate(() => window.scrollY);
    await page.goBack();
    await page.getByRole('link', { name: 'bootstrap', exact: true }).waitFor();
    await page.goForward();
    await page.locator('.opens-row').nth(40).waitFor();
    await page.waitForFunction((y) => window.scrollY === y, further);
  });

  t.test('the export saves the filtered requests as a file', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=requests&statusCode=401');
    await page.getByRole('button', { name: 'Export' }).click();
    await page.getByLabel('CSV').check();
    await checkEverySizeAndTheme(t, page, 'the export');
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download' }).click();
    const file = await download;
    t.equal(file.suggestedFilename(), 'request-logs.csv');
    const lines = readFileSync(await file.path(), 'utf8')
      .trim()
      .split('\n');
    t.match(lines[0], /^id,createdAt,method,path/);
    t.equal(lines.length, 4);
    await page.getByText(/^Saved: /).waitFor();
  });

  t.test('on a phone the search works the same', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=requests', { size: 'phone', colorScheme: 'dark' });
    await page.getByRole('link', { name: 'GET /v1/me' }).first().waitFor();
    await page.getByLabel('Search requests').fill('401');
    await page.keyboard.press('Enter');
    await page.waitForURL(/statusCode=401/);
    await page.waitForFunction(() => document.querySelectorAll('.opens-row').length === 3);
  });

  t.test('clicking a route or a status filters the overview and its URL, and a chip removes the filter', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=overview&range=15m');
    const total = page.locator('.figures dd.value').first();
    await page.getByRole('region', { name: 'Busiest routes' }).getByRole('link', { name: 'GET /v1/me' }).click();
    await page.waitForURL(/method=GET&route=%2Fv1%2Fme/);
    await page.waitForFunction(() => document.querySelectorAll('.busiest tbody tr').length === 1);
    await page.locator('.statuses').getByRole('link', { name: '401' }).click();
    await page.waitForURL(/statusCode=401/);
    await page.waitForFunction(() => document.querySelector('.figures dd.value')?.textContent === '3');
    await page.reload();
    await total.filter({ hasText: /^3$/ }).waitFor();
    await page.getByRole('button', { name: 'Remove the filter GET /v1/me' }).click();
    await page.getByRole('button', { name: 'Remove the filter status 401' }).click();
    await page.waitForURL('**/dashboard?view=overview&range=15m');
    await page.getByRole('button', { name: '30 d' }).click();
    await page.waitForURL('**/dashboard?view=overview&range=30d');
    await page.getByText('in the last 30 days').first().waitFor();
  });

  t.test('the busiest keys are filtered too, and a route with a parameter links to its requests', async (t) => {
    const id = await request('/v1/me', { headers });
    await untilStatus(`${url}/v1/request-logs/${id}`, 200, { headers });
    const place = '?view=overview&range=15m&management=shown&method=GET&route=/v1/request-logs/:id';
    const page = await openDashboard(t, dashboard, place);
    const keys = page.locator('.keys-busy');
    await keys.getByRole('link', { name: 'bootstrap', exact: true }).waitFor();
    t.ok(Number(await keys.locator('td').nth(1).textContent()) < 12, 'only requests that match the filter are counted');
    await keys.getByRole('link', { name: 'Details' }).first().click();
    await page.getByRole('dialog', { name: 'bootstrap' }).waitFor();
    await page.goBack();
    await keys.getByRole('link', { name: 'Details' }).first().waitFor();
    await page.getByRole('link', { name: 'Show these requests' }).first().click();
    await page
      .getByRole('link', { name: `GET /v1/request-logs/${id}` })
      .first()
      .click();
    t.equal(new URL(page.url()).searchParams.get('route'), '/v1/request-logs/:id');
    await page.getByRole('dialog').getByText('/v1/request-logs/:id', { exact: true }).waitFor();

    await page.goto(`${url}/dashboard?view=overview&range=15m&statusCode=401`);
    await keys.getByText('No request had a key.').waitFor();
    await page.goto(`${url}/dashboard?view=overview&range=15m&statusCode=404`);
    await page.getByRole('region', { name: 'Busiest routes' }).getByText('no route matched').click();
    await page.waitForURL(/route=-/);
    await page.getByRole('link', { name: 'Show these requests' }).first().click();
    await page.getByRole('link', { name: 'GET /lost/59' }).waitFor();
  });

  t.test('requests of the dashboard are left out, and a switch shows them', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=overview&range=15m');
    const routes = page.getByRole('region', { name: 'Busiest routes' });
    await routes.getByText('GET /v1/me', { exact: true }).waitFor();
    for (const path of ['/v1/request-logs/stats', '/dashboard']) t.equal(await routes.getByText(path).count(), 0, path);
    t.equal(await page.locator('.keys-busy').getByText('bootstrap').count(), 0);
    await page.getByLabel('Management requests').check();
    await routes.getByText('GET /v1/request-logs/stats', { exact: true }).waitFor();
    await page.locator('.keys-busy').getByText('bootstrap').waitFor();
    await page.getByRole('navigation').getByRole('link', { name: 'Requests' }).click();
    await page.getByRole('link', { name: 'GET /v1/request-logs/stats' }).first().waitFor();
    await page.getByLabel('Management requests').uncheck();
    await page.waitForFunction(
      () => ![...document.querySelectorAll('.opens-row')].some((row) => row.textContent?.includes('/v1/request-logs')),
    );
  });

  t.test('errors are grouped, and a group, an address and a user agent lead to their requests', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=overview&range=1h');
    const errors = page.getByRole('region', { name: 'Errors' });
    await errors.getByRole('link', { name: /^401 GET \/v1\/me$/ }).click();
    await page.waitForURL(/view=requests&range=1h&route=%2Fv1%2Fme&method=GET&statusCode=401/);
    await page.waitForFunction(() => document.querySelectorAll('.opens-row').length === 3);
    await page.goBack();
    await page.getByRole('region', { name: 'Top addresses' }).getByRole('link', { name: '127.0.0.1' }).click();
    await page.waitForURL(/ip=127/);
    await page.goBack();
    await page.getByRole('region', { name: 'Top user agents' }).getByRole('link', { name: 'node' }).click();
    await page.waitForURL(/userAgent=node/);
    await page.locator('.opens-row').first().waitFor();
  });

  t.test('dragging on a chart zooms, a double-click goes back, and a click opens the requests', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=overview&range=1h');
    const plot = page.locator('.plot .u-over').first();
    await plot.waitFor();
    const box = (await plot.boundingBox()) as { x: number; y: number; width: number; height: number };
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + box.width * 0.2, y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.7, y, { steps: 5 });
    await page.mouse.up();
    await page.waitForURL(/from=\d{4}-.*&to=\d{4}-/);
    const { searchParams } = new URL(page.url());
    const [from, to] = ['from', 'to'].map((name) => Date.parse(searchParams.get(name) ?? ''));
    const minutes = ((to ?? 0) - (from ?? 0)) / 60_000;
    t.ok(minutes >= 28 && minutes <= 33, `half an hour is shown, ${minutes} minutes`);
    await page.getByText('in this range').first().waitFor();
    await plot.dblclick();
    await page.waitForURL(/range=1h/);
    await page.getByText('in the last hour').first().waitFor();
    const place = async () => (await page.locator('.plot').first().boundingBox())?.y;
    const before = await place();
    for (const share of [0.1, 0.4, 0.9]) {
      await plot.hover({ position: { x: box.width * share, y: 40 } });
      t.equal(await place(), before, 'the chart does not move under the pointer');
    }
    await plot.click({ position: { x: box.width - 2, y: 20 } });
    await page.waitForURL(/view=requests&.*from=.*&to=/);
    await page.goBack();
    await page.getByRole('figure').first().getByRole('link', { name: '4xx' }).click();
    await page.waitForURL(/view=requests&range=1h&statusCode=4xx/);
    await page
      .getByRole('link', { name: /\/lost\// })
      .first()
      .waitFor();
  });

  t.test('a tap on a chart shows the values of an interval', async (t) => {
    const context = { hasTouch: true };
    const page = await openDashboard(t, dashboard, '?view=overview&range=1h', { size: 'phone', context });
    const plot = page.locator('.plot .u-over').first();
    await plot.waitFor();
    const time = page.locator('figcaption .soft').first();
    const newest = await time.textContent();
    await plot.tap({ position: { x: 30, y: 40 } });
    await page.waitForFunction((text) => document.querySelector('figcaption .soft')?.textContent !== text, newest);
    t.equal(new URL(page.url()).searchParams.get('view'), 'overview');
  });

  t.test('one range of time is kept across views, can be typed, and is copied with fixed times', async (t) => {
    const context = { permissions: ['clipboard-read', 'clipboard-write'], timezoneId: 'Asia/Tokyo', locale: 'ar' };
    const page = await openDashboard(t, dashboard, '?view=overview', { context });
    await page.getByRole('button', { name: '6 h' }).click();
    await page.getByRole('button', { name: 'GMT+9' }).click();
    await page.getByRole('button', { name: 'UTC' }).waitFor();
    await page.getByRole('navigation').getByRole('link', { name: 'Requests' }).click();
    await page.waitForURL('**/dashboard?view=requests&range=6h&tz=utc');
    await page.locator('.opens-row').first().waitFor();
    await page.getByRole('button', { name: 'Copy link' }).click();
    await page.getByRole('button', { name: 'Link copied' }).waitFor();
    const copied = new URL(await page.evaluate(() => navigator.clipboard.readText())).searchParams;
    t.ok(Math.abs(Date.parse(copied.get('to') ?? '') - Date.now()) < 60_000);
    t.ok(Math.abs(Date.parse(copied.get('from') ?? '') - (Date.now() - 6 * 3_600_000)) < 120_000);

    await page.getByRole('button', { name: 'From – to…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Range of time' });
    await dialog.getByLabel('From').fill('yesterday');
    await dialog.getByRole('button', { name: 'Apply' }).click();
    await dialog.getByText('Write a time such as').waitFor();
    await dialog.getByLabel('From').fill('2999-01-01');
    await dialog.getByRole('button', { name: 'Apply' }).click();
    await dialog.getByText('This time is in the future.').waitFor();
    await checkAccessibility(t, page, 'an invalid range');
    await dialog.getByLabel('From').fill('2026-01-31 12:00');
    await dialog.getByLabel('To').fill('2026-01-31 09:30');
    await dialog.getByRole('button', { name: 'Apply' }).click();
    await page.waitForURL(/from=2026-01-31T09%3A30%3A00.000Z&to=2026-01-31T12%3A00%3A00.000Z/);
    await page.getByText('No requests match.').waitFor();
    t.match(await page.locator('.time-control').innerText(), /Jan 31, 09:30:00 – Jan 31, 12:00:00/, 'in English');
  });

  t.test('the clock of the server decides ranges and ages, whatever the clock of the computer', async (t) => {
    for (const skewMs of [-20 * 60_000, 90_000, 20 * 60_000]) {
      const page = await openPage(t, url);
      // Only the clock differs: timers run as before.
      await page.addInitScript((skewMs) => {
        const RealDate = Date;
        const now = () => RealDate.now() + skewMs;
        window.Date = new Proxy(RealDate, {
          construct: (target, args) => (args.length === 0 ? new target(now()) : Reflect.construct(target, args)),
          get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
        });
      }, skewMs);
      await page.goto(`${url}/dashboard?view=overview&range=15m`);
      await page.getByLabel('Admin key').fill(key);
      await page.getByRole('button', { name: 'Sign in' }).click();
      const before = await (
        await fetch(
          `${url}/v1/request-logs/stats?exact=true&excludeManagement=true&from=${new Date(Date.now() - 900_000).toISOString()}`,
          { headers },
        )
      ).json();
      const shown = await page.locator('.figures dd.value').first().textContent();
      const { count } = (before as { total: { count: number } }).total;
      t.ok(
        Math.abs(Number(shown) - count) <= 3,
        `${shown} requests are shown with a skew of ${skewMs} ms, ${count} are logged`,
      );
      const words = skewMs > 0 ? /is \S+ \w+ ahead of the server’s/ : /is \S+ \w+ behind the server’s/;
      await page.getByText(words).waitFor();
      const asOf = (await page.locator('.updated').textContent()) ?? '';
      const [hours = 0, minutes = 0, seconds = 0] = (/(\d\d):(\d\d):(\d\d)/.exec(asOf) ?? []).slice(1).map(Number);
      const real = await page.evaluate((at) => {
        const moment = new Date(at);
        return moment.getHours() * 3_600 + moment.getMinutes() * 60 + moment.getSeconds();
      }, Date.now());
      const difference = Math.abs(hours * 3_600 + minutes * 60 + seconds - real);
      t.ok(Math.min(difference, 86_400 - difference) < 20, `${asOf} is the time of the server`);
      await page.context().close();
    }
  });

  t.test('the overview updates automatically and links to the requests behind it', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=overview&range=15m&statusCode=415');
    await page.getByText('No requests in the last 15 minutes match the filter.').waitFor();
    const body = { method: 'POST', headers: { ...headers, 'content-type': 'text/nonsense' }, body: 'x' };
    await request('/v1/api-keys', body);
    await page
      .getByRole('region', { name: 'Busiest routes' })
      .getByText('POST /v1/api-keys', { exact: true })
      .waitFor();
    await page.getByRole('link', { name: 'Show these requests' }).first().click();
    await page.getByRole('link', { name: 'POST /v1/api-keys' }).waitFor();
    t.equal(new URL(page.url()).searchParams.get('statusCode'), '415');
  });

  t.test('the overview reports an unreachable service, keeps its data, and recovers automatically', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=overview&range=15m', { expected: /ERR_/ });
    await page.getByRole('region', { name: 'Busiest routes' }).waitFor();
    await page.context().setOffline(true);
    await page.getByText('This computer is offline').waitFor();
    await page.getByRole('alert').getByText('The service cannot be reached').first().waitFor();
    t.ok(await page.getByRole('region', { name: 'Busiest routes' }).isVisible());
    await page.context().setOffline(false);
    await page.getByRole('alert').first().waitFor({ state: 'detached' });
  });

  t.test('shortcuts open views, the search and rows, pause the list, and do nothing in a field', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=overview');
    const keyboard = page.keyboard;
    const currentView = page.locator('nav [aria-current="page"]');
    for (const [keys, view] of Object.entries({
      'g k': 'Keys',
      'g h': 'Health',
      'g o': 'Overview',
      'g r': 'Requests',
    })) {
      for (const letter of keys.split(' ')) await keyboard.press(letter);
      await currentView.getByText(view, { exact: true }).waitFor();
    }
    await page.locator('.opens-row').nth(1).waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    await keyboard.press('p');
    await page.getByRole('button', { name: 'Resume' }).waitFor();
    for (const letter of ['j', 'j', 'k']) await keyboard.press(letter);
    t.ok(
      await page
        .locator('.opens-row')
        .first()
        .evaluate((row) => row === document.activeElement),
    );
    await keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Request' }).waitFor();
    await keyboard.press('g');
    await keyboard.press('k');
    await keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await currentView.getByText('Requests', { exact: true }).waitFor();
    await keyboard.press('/');
    await keyboard.type('/g k?p');
    t.equal(await page.getByLabel('Search requests').inputValue(), '/g k?p');
    await page.getByLabel('Search requests').fill('');
    await page.getByLabel('Search requests').blur();
    await keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).getByText('g r').waitFor();
    await checkEverySizeAndTheme(t, page, 'the shortcuts');
    await keyboard.press('Escape');
    await page.reload();
    await page.locator('.opens-row').first().waitFor();
    await keyboard.press('Tab');
    await page.getByText('Skip to the content').waitFor();
    await keyboard.press('Enter');
    t.equal(await page.evaluate(() => document.activeElement?.id), 'view');
  });

  t.test('overview and requests are accessible in light and dark mode, on desktop and phone', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=overview');
    await page.getByRole('region', { name: 'Busiest routes' }).waitFor();
    await checkEverySizeAndTheme(t, page, 'the overview');
    await page.goto(`${url}/dashboard?view=requests&statusCode=401`);
    await page.locator('.opens-row').first().waitFor();
    await checkEverySizeAndTheme(t, page, 'the requests');
    await page.locator('.opens-row').first().click();
    await page.getByRole('dialog').getByText('User agent', { exact: true }).waitFor();
    await checkEverySizeAndTheme(t, page, 'a request');
  });
});
