import type { Page } from 'playwright-core';
import t from 'tap';
import { checkEveryLook, needsBrowser, openDashboard, startDashboard } from './browser.js';

t.test('keys', { skip: needsBrowser }, async (t) => {
  const dashboard = await startDashboard();
  const { url, key: adminKey } = dashboard;
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' };

  /** As a program would. */
  async function makeKey(fields: object): Promise<{ id: string; key: string }> {
    const response = await fetch(`${url}/v1/api-keys`, { method: 'POST', headers, body: JSON.stringify(fields) });
    return response.json() as Promise<{ id: string; key: string }>;
  }
  async function statusWith(key: string) {
    const response = await fetch(`${url}/v1/me`, { headers: { authorization: `Bearer ${key}` } });
    await response.body?.cancel();
    return response.status;
  }
  const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name, exact: true });
  const dialog = (page: Page, name: string | RegExp) => page.getByRole('dialog', { name, exact: true });
  async function openKey(page: Page, name: string) {
    await button(page, name).click();
    await dialog(page, name).getByText('Events').waitFor();
  }

  t.test('a key that is made is shown once, can be copied, works, and is not left by accident', async (t) => {
    const context = { permissions: ['clipboard-read', 'clipboard-write'] };
    const page = await openDashboard(t, dashboard, '?view=keys', { context });
    await button(page, 'New key').click();
    await page.getByLabel('Name').fill('ci');
    await page.getByLabel('Scopes').fill('read, write');
    await page.getByLabel('Expires').selectOption('In 30 days');
    await page.getByLabel('Requests a minute').fill('120');
    await button(page, 'Make the key').click();
    const shown = page.getByLabel('Key', { exact: true });
    const key = await shown.inputValue();
    t.equal(await statusWith(key), 200);
    await button(page, 'Copy the key').click();
    await page.getByText('Copied').waitFor();
    t.equal(await page.evaluate(() => navigator.clipboard.readText()), key);

    const leavings = {
      confirm: [() => page.keyboard.press('Escape'), () => page.keyboard.press('Escape'), () => page.goBack()],
      beforeunload: [() => page.close({ runBeforeUnload: true })],
    };
    for (const [type, ways] of Object.entries(leavings))
      for (const leave of ways) {
        const asked = page.waitForEvent('dialog');
        // Goes on once it is answered.
        const leaving = leave();
        const question = await asked;
        t.equal(question.type(), type);
        await question.dismiss();
        await leaving;
      }
    t.equal(await shown.inputValue(), key);

    await button(page, 'I have stored it').click();
    await shown.waitFor({ state: 'detached' });
    t.notMatch(await page.content(), key);
    await openKey(page, 'ci');
    await dialog(page, 'ci').getByText('120 requests a minute').waitFor();
    await dialog(page, 'ci').getByText('by the key “bootstrap”').waitFor();
  });

  t.test('a key that is shown stays until it is stored, also when the session ends', async (t) => {
    const own = await makeKey({ name: 'brief', scopes: ['admin'] });
    const page = await openDashboard(t, { url, key: own.key }, '?view=keys', { expected: /status of 401/ });
    await button(page, 'New key').click();
    await page.getByLabel('Name').fill('kept');
    await button(page, 'Make the key').click();
    const shown = page.getByLabel('Key', { exact: true });
    await shown.waitFor();
    const ended = await fetch(`${url}/v1/api-keys/${own.id}`, {
      method: 'PATCH',
      headers,
      body: JSON.stringify({ active: false }),
    });
    t.equal(ended.status, 200);
    const refused = page.waitForResponse((response) => response.status() === 401);
    // At once, rather than when it is time.
    await page.evaluate(() => window.dispatchEvent(new Event('online')));
    await refused;
    t.equal(await statusWith(await shown.inputValue()), 200);
    await button(page, 'I have stored it').click();
    await page.evaluate(() => window.dispatchEvent(new Event('online')));
    await page.getByText('The key is no longer good.').waitFor();
  });

  t.test('what the service refuses is said at its field', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=keys', { expected: /status of 400/ });
    await button(page, 'New key').click();
    await page.getByLabel('Scopes').fill('Not A Scope!');
    await page.getByLabel('Expires').selectOption('On a date…');
    await page.getByLabel('Requests a minute').fill('many');
    const refusalOf = async (label: string) => {
      const field = page.getByLabel(label);
      const ids = (await field.getAttribute('aria-describedby')) ?? '';
      return page.locator(`[id="${ids.split(' ')[0]}"]`).textContent();
    };
    await button(page, 'Make the key').click();
    await page.locator('[aria-invalid="true"]').first().waitFor();
    t.match(await refusalOf('Name'), /form below/);
    t.equal(await page.evaluate(() => document.activeElement?.getAttribute('name')), 'name');

    await page.getByLabel('Name').fill('late');
    await page.getByLabel('Scopes').fill('');
    await page.getByLabel('Requests a minute').fill('');
    await page.getByLabel('Date and time').fill('2020-01-01T00:00');
    await button(page, 'Make the key').click();
    await page.getByText('Must be in the future').waitFor();
    t.match(await refusalOf('Date and time'), /future/);
    t.equal(await refusalOf('Name'), '');
  });

  t.test('a disabled key is refused and says so, and is let in again once enabled', async (t) => {
    const { key } = await makeKey({ name: 'switched' });
    const page = await openDashboard(t, dashboard, '?view=keys');
    await openKey(page, 'switched');
    await button(page, 'Disable…').click();
    await button(page, 'Disable').click();
    await dialog(page, 'switched').locator('dd').getByText('Disabled').waitFor();
    t.equal(await statusWith(key), 401);
    await button(page, 'Enable…').click();
    await button(page, 'Enable').click();
    await dialog(page, 'switched').locator('dd').getByText('Active').waitFor();
    t.equal(await statusWith(key), 200);
    t.match(await dialog(page, 'switched').locator('ol strong').allTextContents(), ['enabled', 'disabled', 'created']);
  });

  t.test('a rotated key goes on for its grace, beside the one that takes its place', async (t) => {
    const { key: old } = await makeKey({ name: 'rotated' });
    const page = await openDashboard(t, dashboard, '?view=keys');
    await openKey(page, 'rotated');
    await button(page, 'Rotate…').click();
    await page.getByLabel('The old one ends').selectOption('in an hour');
    await button(page, 'Rotate').click();
    const key = await page.getByLabel('Key', { exact: true }).inputValue();
    t.strictSame([await statusWith(old), await statusWith(key)], [200, 200]);
    await button(page, 'I have stored it').click();
    await dialog(page, 'rotated')
      .getByText(/^Replaced, ends in (1 hour|59 minutes)$/)
      .waitFor();
    t.equal(await button(page, 'Rotate…').count(), 0);
    await button(page, /^the key …/).click();
    await dialog(page, 'rotated').locator('dd').getByText('Active').waitFor();
  });

  t.test('whoever rotates the key that they are signed in with stays signed in', async (t) => {
    const own = await makeKey({ name: 'me', scopes: ['admin'] });
    const page = await openDashboard(t, { url, key: own.key }, `?view=keys&key=${own.id}`);
    await page.getByText('You are signed in with it.').waitFor();
    await button(page, 'Rotate…').click();
    await page.getByLabel('The old one ends').selectOption('at once');
    await button(page, 'Rotate').click();
    await button(page, 'I have stored it').click();
    t.equal(await statusWith(own.key), 401);
    await dialog(page, 'me').getByText('Replaced', { exact: true }).waitFor();
  });

  t.test('a key is deleted once its name is typed, and is refused from then on', async (t) => {
    const { id, key } = await makeKey({ name: 'to be gone' });
    const page = await openDashboard(t, dashboard, '?view=keys');
    await openKey(page, 'to be gone');
    await button(page, 'Delete…').click();
    const confirm = button(page, 'Delete');
    t.ok(await confirm.isDisabled());
    await page.getByLabel(/type its name/).fill('to be gone');
    await confirm.click();
    await dialog(page, 'to be gone').waitFor({ state: 'detached' });
    await button(page, 'to be gone').waitFor({ state: 'detached' });
    t.equal(await statusWith(key), 401);
    const events = await fetch(`${url}/v1/api-keys/${id}/events`, { headers });
    t.match(await events.json(), { data: [{ action: 'deleted', actor: 'api-key' }] });
  });

  t.test('a request just made is in the line of the last day', async (t) => {
    const { key } = await makeKey({ name: 'busy' });
    for (let i = 0; i < 3; i++) await statusWith(key);
    const page = await openDashboard(t, dashboard, '?view=keys');
    await page.getByRole('img', { name: /^busy: 3 requests in the last day/ }).waitFor();
  });

  t.test('all of it is accessible and no wider than the screen', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=keys');
    await page
      .getByRole('img', { name: /requests in the last day/ })
      .first()
      .waitFor();
    await checkEveryLook(t, page, 'the list');
    await button(page, 'New key').click();
    await checkEveryLook(t, page, 'the form');
    await page.keyboard.press('Escape');
    await openKey(page, 'ci');
    await dialog(page, 'ci').locator('ol strong').first().waitFor();
    await checkEveryLook(t, page, 'a key');
    await button(page, 'Delete…').click();
    await checkEveryLook(t, page, 'the question');
  });

  t.test('there are pages where there are many, and a link leads back to one', async (t) => {
    for (let i = 0; i < 51; i++) await makeKey({ name: `many ${i}` });
    const page = await openDashboard(t, dashboard, '?view=keys');
    await button(page, 'many 50').waitFor();
    t.equal(await page.getByRole('row').count(), 51);
    await button(page, 'Older keys').click();
    await button(page, 'bootstrap').waitFor();
    await page.reload();
    await button(page, 'bootstrap').waitFor();
    await button(page, 'Newest keys').click();
    await button(page, 'many 50').waitFor();
  });
});
