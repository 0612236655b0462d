import t from 'tap';
import { checkAccessibility, checkFits, needsBrowser, openDashboard, startDashboard } from './browser.js';

const views = ['overview&range=15m', 'requests', 'keys', 'health'];

t.test('how the browser displays the page', { skip: needsBrowser }, async (t) => {
  const dashboard = await startDashboard();
  const headers = { authorization: `Bearer ${dashboard.key}`, 'content-type': 'application/json' };
  const name = 'مفتاح ١٢';
  await fetch(`${dashboard.url}/v1/api-keys`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ name, ownerId: 'עסק' }),
  });
  for (let i = 0; i < 12; i++) await (await fetch(`${dashboard.url}/v1/me`, { headers })).body?.cancel();

  for (const locale of ['ar', 'de'])
    t.test(`a browser in another language shows whole pages in English (${locale})`, async (t) => {
      const page = await openDashboard(t, dashboard, '?view=overview&range=15m', { context: { locale } });
      await page.getByRole('region', { name: 'Busiest routes' }).waitFor();
      for (const view of views) {
        await page.goto(`${dashboard.url}/dashboard?view=${view}`);
        await page.locator('main table, .health-grid').first().waitFor();
        // Arabic digits, and German months and decimals.
        const text = (await page.locator('body').innerText()).replaceAll(name, '').replaceAll('עסק', '');
        t.notMatch(text, /[\u0600-\u06ff]|\d,\d+ (ms|s)\b|\bUhr\b|Dez\b|Okt\b/, view);
        t.equal(await page.evaluate(() => document.documentElement.lang), 'en');
      }
    });

  t.test('every view fits and is accessible with forced colors, reduced motion and 200 % zoom', async (t) => {
    const context = { forcedColors: 'active', reducedMotion: 'reduce', viewport: { width: 640, height: 400 } } as const;
    const page = await openDashboard(t, dashboard, '?view=keys', { context });
    await page.getByRole('link', { name, exact: true }).waitFor();
    for (const view of views) {
      await page.goto(`${dashboard.url}/dashboard?view=${view}`);
      await page.locator('main table, .health-grid').first().waitFor();
      await checkFits(t, page, view);
      await checkAccessibility(t, page, view);
    }
  });

  t.test('a name from right to left does not turn the text around it', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=keys');
    await page.getByRole('link', { name, exact: true }).waitFor();
    const isIsolated = await page
      .getByRole('link', { name, exact: true })
      .evaluate((link) => link.querySelector('bdi')?.textContent === link.textContent);
    t.ok(isIsolated);
    await page.getByRole('link', { name, exact: true }).click();
    const dialog = page.getByRole('dialog', { name });
    await dialog.waitFor();
    t.equal(await dialog.getByRole('heading', { level: 2 }).first().getAttribute('dir'), 'auto');
  });

  t.test('an error of the service is shown without its regular expression', async (t) => {
    const place = '?view=requests&statusCode=2yz';
    const page = await openDashboard(t, dashboard, place, { expected: /status of 400/ });
    const alert = page.getByRole('alert').filter({ hasText: '400' }).first();
    await alert.waitFor();
    t.match(await alert.innerText(), /statusCode/);
    t.notMatch(await alert.innerText(), /[\^$\\]|must match/);
  });
});
