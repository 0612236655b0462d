import t from 'tap';
import { needsBrowser, openPage, startDashboard } from './browser.js';

t.test(
  'the documentation page sends requests with a key and forgets the key on reload',
  { skip: needsBrowser },
  async (t) => {
    const { url, key } = await startDashboard();
    const page = await openPage(t, url);
    await page.goto(`${url}/documentation`);
    await page.getByRole('button', { name: 'Authorize' }).click();
    const schemes = page.locator('.auth-container');
    for (const scheme of ['bearer', 'apiKeyHeader']) {
      const form = schemes.filter({ hasText: scheme });
      await form.getByRole('textbox').fill(key);
      await form.getByRole('button', { name: 'Apply' }).click();
    }
    await page.locator('.modal-ux .btn-done').first().click();

    const operation = page.locator('#operations-keys-getMe');
    await operation.getByRole('button', { name: 'The calling key' }).click();
    await operation.getByRole('button', { name: 'Try it out' }).click();
    await operation.getByRole('button', { name: 'Execute' }).click();
    const response = operation.locator('.live-responses-table .response');
    t.equal((await response.locator('.response-col_status').innerText()).trim().slice(0, 3), '200');
    t.match(await response.innerText(), '"name": "bootstrap"');

    await page.reload();
    await page.getByRole('button', { name: 'Authorize' }).click();
    t.equal(await page.locator('.auth-container input').count(), 2, 'no key is set after the reload');
  },
);
