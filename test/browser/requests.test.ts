import { readFileSync } from 'node:fs';
import t from 'tap';
import { untilStatus } from '../process.js';
import { checkEverySizeAndTheme, needsBrowser, openDashboard, startDashboard } from './browser.js';

/** The time within which a new request must be visible. */
const soon = { timeout: 3_000 };

t.test('the overview and the requests', { skip: needsBrowser }, async (t) => {
  const dashboard = await startDashboard();
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
    const row = page.getByRole('button', { name: 'GET /just-made' });
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
    await page.getByRole('button', { name: 'Pause' }).click();
    for (let i = 0; i < 3; i++) await request('/paused');
    const resume = page.getByRole('button', { name: 'Resume (3 new)' });
    await resume.waitFor(soon);
    t.equal(await page.locator('.opens-row').count(), 0);
    await resume.click();
    await page.locator('.opens-row').nth(2).waitFor(soon);
    await request('/paused');
    await page.locator('.opens-row').nth(3).waitFor(soon);
  });

  t.test('filters are in the URL and survive a reload and going back', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=requests');
    const rows = page.locator('.opens-row');
    await page.getByLabel('Path').fill('/v1/me');
    await request('/passing');
    await page.getByText('GET /passing').waitFor(soon);
    t.equal(await page.getByLabel('Path').inputValue(), '/v1/me', 'half-typed input stays while rows arrive');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/dashboard?view=requests&path=%2Fv1%2Fme');
    await page.getByLabel('Status').fill('401');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/dashboard?view=requests&path=%2Fv1%2Fme&statusCode=401');
    await page.waitForFunction(() => document.querySelectorAll('.opens-row').length === 3);
    await page.reload();
    await rows.nth(2).waitFor();
    t.equal(await rows.count(), 3);
    t.equal(await page.getByLabel('Status').inputValue(), '401');
    await page.goBack();
    await page.waitForFunction(() => document.querySelectorAll('.opens-row').length > 3);
    t.equal(await page.getByLabel('Status').inputValue(), '');
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.waitForURL('**/dashboard?view=requests');
    await page.getByText('GET /lost/59').waitFor();

    await page.getByLabel('Status').fill('42');
    await page.keyboard.press('Enter');
    t.equal(new URL(page.url()).search, '?view=requests', 'an invalid status is not applied as a filter');
  });

  t.test('the list can be filtered by address and by part of the user agent, within a day', async (t) => {
    const agent = `probe-${crypto.randomUUID().slice(0, 8)}`;
    await request('/by-agent', { headers: { 'user-agent': `${agent}/1.0` } });
    const page = await openDashboard(t, dashboard, '?view=requests');
    await page.getByLabel('User agent').fill(agent.toUpperCase());
    await page.keyboard.press('Enter');
    await page.waitForURL(/from=\d{4}-.*&userAgent=PROBE-/);
    await page.waitForFunction(() => document.querySelectorAll('.opens-row').length === 1);
    await page.getByLabel('Address').fill('203.0.113.7');
    await page.keyboard.press('Enter');
    await page.waitForURL(/ip=203/);
    await page.waitForFunction(() => document.querySelectorAll('.opens-row').length === 0);
    await page.getByLabel('Address').fill('');
    await page.keyboard.press('Enter');
    await page.locator('.opens-row').click();
    await page.getByRole('button', { name: 'Only these: Address' }).click();
    await page.waitForURL(/ip=127\.0\.0\.1/);
    await page.waitForFunction(() => document.querySelectorAll('.opens-row').length === 1);
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
  });

  t.test('the export saves the filtered requests as a file', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=requests&statusCode=401');
    await page.getByRole('button', { name: 'Export' }).click();
    await page.getByLabel('CSV').check();
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

  t.test('on a phone a button opens the filters, which work the same', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=requests', { size: 'phone', colorScheme: 'dark' });
    await page.getByRole('button', { name: 'GET /v1/me' }).first().waitFor();
    const status = page.getByLabel('Status', { exact: true });
    t.notOk(await status.isVisible());
    await page.getByRole('button', { name: 'Filters' }).click();
    await status.fill('401');
    await status.press('Enter');
    await page.waitForURL(/statusCode=401/);
    await page.waitForFunction(() => document.querySelectorAll('.opens-row').length === 3);
    await page.getByRole('button', { name: 'Filters (1)' }).click();
    t.notOk(await status.isVisible());
  });

  t.test('clicking a route or a status filters the overview and its URL, and a chip removes the filter', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=overview&range=15m');
    const total = page.locator('.figures dd.value').first();
    await page.getByRole('region', { name: 'Busiest routes' }).getByRole('button', { name: 'GET /v1/me' }).click();
    await page.waitForURL(/method=GET&route=%2Fv1%2Fme/);
    await page.waitForFunction(() => document.querySelectorAll('.busiest tbody tr').length === 1);
    await page.getByRole('button', { name: '401' }).click();
    await page.waitForURL(/statusCode=401/);
    await page.waitForFunction(() => document.querySelector('.figures dd.value')?.textContent === '3');
    await page.reload();
    await total.filter({ hasText: /^3$/ }).waitFor();
    await page.getByRole('button', { name: 'Remove the filter GET /v1/me' }).click();
    await page.getByRole('button', { name: 'Remove the filter status 401' }).click();
    await page.waitForURL('**/dashboard?view=overview&range=15m');
    await page.getByRole('button', { name: '30 d' }).click();
    await page.waitForURL('**/dashboard?view=overview&range=30d');
    await page.getByText('in the last 30 days').waitFor();
  });

  t.test('the busiest keys are filtered too, and a route with a parameter links to its requests', async (t) => {
    const id = await request('/v1/me', { headers });
    await untilStatus(`${url}/v1/request-logs/${id}`, 200, { headers });
    const page = await openDashboard(t, dashboard, '?view=overview&range=15m&method=GET&route=/v1/request-logs/:id');
    const keys = page.locator('.keys-busy');
    await keys.getByRole('button', { name: 'bootstrap', exact: true }).waitFor();
    t.ok(Number(await keys.locator('td').nth(1).textContent()) < 12, 'only requests that match the filter are counted');
    await keys.getByRole('button', { name: 'Details' }).first().click();
    await page.getByRole('dialog', { name: 'bootstrap' }).waitFor();
    await page.goBack();
    await keys.getByRole('button', { name: 'Details' }).first().waitFor();
    await page.getByRole('button', { name: 'Show these requests' }).click();
    await page
      .getByRole('button', { name: `GET /v1/request-logs/${id}` })
      .first()
      .click();
    t.equal(new URL(page.url()).searchParams.get('route'), '/v1/request-logs/:id');
    await page.getByRole('dialog').getByText('/v1/request-logs/:id', { exact: true }).waitFor();

    await page.goto(`${url}/dashboard?view=overview&range=15m&statusCode=401`);
    await keys.getByText('No request had a key.').waitFor();
    await page.goto(`${url}/dashboard?view=overview&range=15m&statusCode=404`);
    await page.getByRole('region', { name: 'Busiest routes' }).getByText('no route matched').click();
    await page.waitForURL(/route=-/);
    await page.getByRole('button', { name: 'Show these requests' }).click();
    await page.getByRole('button', { name: 'GET /lost/59' }).waitFor();
  });

  t.test('the overview updates automatically and links to the requests behind it', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=overview&range=15m&statusCode=415');
    await page.getByText('No requests in the last 15 minutes that match the filter').waitFor();
    const body = { method: 'POST', headers: { ...headers, 'content-type': 'text/nonsense' }, body: 'x' };
    await request('/v1/api-keys', body);
    await page
      .getByRole('region', { name: 'Busiest routes' })
      .getByText('POST /v1/api-keys', { exact: true })
      .waitFor();
    await page.getByRole('button', { name: 'Show these requests' }).click();
    await page.getByRole('button', { name: 'POST /v1/api-keys' }).waitFor();
    t.equal(new URL(page.url()).searchParams.get('statusCode'), '415');
  });

  t.test('the overview reports an unreachable service, keeps its data, and recovers automatically', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=overview&range=15m', { expected: /ERR_/ });
    await page.getByRole('region', { name: 'Busiest routes' }).waitFor();
    await page.context().setOffline(true);
    await page.getByText('This computer is offline').waitFor();
    await page.getByRole('alert').getByText('The service cannot be reached').waitFor();
    t.ok(await page.getByRole('region', { name: 'Busiest routes' }).isVisible());
    await page.context().setOffline(false);
    await page.getByRole('alert').waitFor({ state: 'detached' });
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
    await currentView.getByText('Requests', { exact: true }).waitFor();
    await keyboard.press('/');
    await keyboard.type('/g k?p');
    t.equal(await page.getByLabel('Path').inputValue(), '/g k?p');
    await page.getByLabel('Path').fill('');
    await page.getByLabel('Path').blur();
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
    await page.getByRole('region', { name: 'Busiest keys' }).waitFor();
    await checkEverySizeAndTheme(t, page, 'the overview');
    await page.goto(`${url}/dashboard?view=requests&statusCode=401`);
    await page.locator('.opens-row').first().waitFor();
    await checkEverySizeAndTheme(t, page, 'the requests');
    await page.locator('.opens-row').first().click();
    await page.getByRole('dialog').getByText('User agent', { exact: true }).waitFor();
    await checkEverySizeAndTheme(t, page, 'a request');
  });
});
