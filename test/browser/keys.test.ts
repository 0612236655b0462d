import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { checkEverySizeAndTheme, checkFits, needsBrowser, openDashboard, startDashboard } from './browser.js';

t.test('keys', { skip: needsBrowser }, async (t) => {
  const dashboard = await startDashboard();
  const { url, key: adminKey } = dashboard;
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' };

  /** Creates a key through the API instead of the dashboard. */
  async function createKey(fields: object): Promise<{ id: string; key: string }> {
    const response = await fetch(`${url}/v1/api-keys`, { method: 'POST', headers, body: JSON.stringify(fields) });
    return response.json() as Promise<{ id: string; key: string }>;
  }
  async function statusWith(key: string) {
    const response = await fetch(`${url}/v1/me`, { headers: { authorization: `Bearer ${key}` } });
    await response.body?.cancel();
    return response.status;
  }
  const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name, exact: true });
  const link = (page: Page, name: string | RegExp) => page.getByRole('link', { name, exact: true });
  const dialog = (page: Page, name: string | RegExp) => page.getByRole('dialog', { name, exact: true });
  async function openKey(page: Page, name: string) {
    await link(page, name).click();
    await dialog(page, name).getByRole('heading', { name: 'Events' }).waitFor();
  }

  t.test(
    'a new key works, can be copied, and is shown until confirmed as stored; leaving early asks first',
    async (t) => {
      const context = { permissions: ['clipboard-read', 'clipboard-write'] };
      const page = await openDashboard(t, dashboard, '?view=keys', { context });
      await button(page, 'Create key…').click();
      await page.getByLabel('Name').fill('ci');
      await page.getByLabel('Scopes').fill('read, write');
      await page.getByLabel('Expires').selectOption('In 30 days');
      await page.getByLabel('Limits').fill('120/1m');
      await button(page, 'Create key').click();
      const shown = page.getByLabel('Key', { exact: true });
      const key = await shown.inputValue();
      t.equal(await statusWith(key), 200);
      await button(page, 'Copy the key').click();
      await page.getByText('Copied').waitFor();
      t.equal(await page.evaluate(() => navigator.clipboard.readText()), key);

      const waysToLeave = {
        confirm: [() => page.keyboard.press('Escape'), () => page.keyboard.press('Escape'), () => page.goBack()],
        beforeunload: [() => page.close({ runBeforeUnload: true })],
      };
      for (const [type, ways] of Object.entries(waysToLeave))
        for (const leave of ways) {
          const prompted = page.waitForEvent('dialog');
          // Resolves only after the prompt is dismissed.
          const leaving = leave();
          const prompt = await prompted;
          t.equal(prompt.type(), type);
          await prompt.dismiss();
          await leaving;
        }
      t.equal(await shown.inputValue(), key);

      await button(page, 'I have stored it').click();
      await shown.waitFor({ state: 'detached' });
      t.notMatch(await page.content(), key);
      await openKey(page, 'ci');
      await dialog(page, 'ci').getByText('120 a minute').waitFor();
      await dialog(page, 'ci').getByText('by the key “bootstrap”').waitFor();
    },
  );

  t.test('a new key stays visible until its storage is confirmed, even if the session ends', async (t) => {
    const own = await createKey({ name: 'brief', scopes: ['admin'] });
    const page = await openDashboard(t, { url, key: own.key }, '?view=keys', { expected: /status of 401/ });
    await button(page, 'Create key…').click();
    await page.getByLabel('Name').fill('kept');
    await button(page, 'Create key').click();
    const shown = page.getByLabel('Key', { exact: true });
    await shown.waitFor();
    const disabled = await fetch(`${url}/v1/api-keys/${own.id}`, {
      method: 'PATCH',
      headers,
      body: JSON.stringify({ active: false }),
    });
    t.equal(disabled.status, 200);
    const refused = page.waitForResponse((response) => response.status() === 401);
    // Triggers a refresh immediately instead of waiting for the next one.
    await page.evaluate(() => window.dispatchEvent(new Event('online')));
    await refused;
    t.equal(await statusWith(await shown.inputValue()), 200);
    await button(page, 'I have stored it').click();
    await page.evaluate(() => window.dispatchEvent(new Event('online')));
    await page.getByText('The key is no longer valid.').waitFor();
  });

  t.test('validation errors of the service appear at their fields', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=keys', { expected: /status of 400/ });
    await button(page, 'Create key…').click();
    await page.getByLabel('Scopes').fill('Not A Scope!');
    await page.getByLabel('Expires').selectOption('On a date…');
    const errorOf = async (label: string) => {
      const field = page.getByLabel(label);
      const ids = (await field.getAttribute('aria-describedby')) ?? '';
      return page.locator(`[id="${ids.split(' ')[0]}"]`).textContent();
    };
    await button(page, 'Create key').click();
    await page.locator('[aria-invalid="true"]').first().waitFor();
    t.match(await errorOf('Name'), /form below/);
    t.equal(await page.evaluate(() => document.activeElement?.getAttribute('name')), 'name');

    await page.getByLabel('Name').fill('late');
    await page.getByLabel('Scopes').fill('');
    await page.getByLabel('Date and time').fill('2020-01-01T00:00');
    await button(page, 'Create key').click();
    await page.getByText('Must be in the future').waitFor();
    t.match(await errorOf('Date and time'), /future/);
    t.equal(await errorOf('Name'), '');

    for (const [label, value] of [
      ['Limits', 'many'],
      ['Quota', '5/week'],
    ] as const) {
      await page.getByLabel(label).fill(value);
      await button(page, 'Create key').click();
      await page.locator('[aria-invalid="true"]').waitFor();
      t.match(await errorOf(label), /^Must be /);
      await page.getByLabel(label).fill('');
    }
  });

  t.test('limits and quotas of keys and owners show how full they are, and can be changed', async (t) => {
    const { id, key } = await createKey({
      ...{ name: 'limited', ownerId: 'a customer' },
      rateLimits: [{ name: 'burst', limit: 4, windowSeconds: 86_400 }],
      quota: { limit: 10, period: 'month' },
    });
    for (let i = 0; i < 5; i++) await statusWith(key);
    const page = await openDashboard(t, dashboard, `?view=keys&key=${id}`);
    await dialog(page, 'limited').getByText('4 of 4 used').waitFor();
    await dialog(page, 'limited').getByText('4 of 10 used').waitFor();
    await checkEverySizeAndTheme(t, page, 'the limits of a key');
    await button(page, 'Change…').click();
    const form = dialog(page, /^Change “limited”$/);
    t.equal(await form.getByLabel('Limits').inputValue(), 'burst=4/1d');
    await form.getByLabel('Limits').fill('burst=9/1d 600/1m');
    await form.getByLabel('Reset the quota to zero').check();
    await button(page, 'Save').click();
    await form.waitFor({ state: 'detached' });
    await dialog(page, 'limited').getByText('4 of 9 used').waitFor();
    await dialog(page, 'limited').getByText('0 of 10 used').waitFor();

    await dialog(page, 'limited').getByRole('link', { name: 'a customer', exact: true }).click();
    await button(page, 'Change limits…').click();
    await dialog(page, 'Limits of a customer').getByLabel('Quota').fill('1000/day');
    await button(page, 'Save').click();
    await page.locator('.owner').getByText('1,000 a day').waitFor();
    await checkEverySizeAndTheme(t, page, 'the limits of an owner');
    const response = await fetch(`${url}/v1/owners/a%20customer/limits`, { headers });
    t.match(await response.json(), { rateLimits: [], quota: { limit: 1_000, period: 'day', used: 0 } });

    await page.goto(`${url}/dashboard`);
    await page.locator('.keys-limited').getByRole('link', { name: 'limited', exact: true }).click();
    await dialog(page, 'limited').waitFor();
  });

  t.test('a disabled key is denied and shown as disabled, and is allowed again when enabled', async (t) => {
    const { key } = await createKey({ name: 'switched' });
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
    await dialog(page, 'switched').locator('ol strong', { hasText: 'enabled' }).waitFor();
    t.match(await dialog(page, 'switched').locator('ol strong').allTextContents(), ['enabled', 'disabled', 'created']);
  });

  t.test('a rotated key stays valid for its grace period together with its replacement', async (t) => {
    const { key: old } = await createKey({ name: 'rotated' });
    const page = await openDashboard(t, dashboard, '?view=keys');
    await openKey(page, 'rotated');
    await button(page, 'Rotate…').click();
    await page.getByLabel('The old key expires').selectOption('in an hour');
    await button(page, 'Rotate').click();
    const key = await page.getByLabel('Key', { exact: true }).inputValue();
    t.strictSame([await statusWith(old), await statusWith(key)], [200, 200]);
    await button(page, 'I have stored it').click();
    await dialog(page, 'rotated')
      .getByText(/^Replaced, ends in (1 hour|59 minutes)$/)
      .waitFor();
    t.equal(await button(page, 'Rotate…').count(), 0);
    await link(page, /^the key …/).click();
    await dialog(page, 'rotated').locator('dd').getByText('Active').waitFor();
  });

  t.test('rotating the key of the session keeps the user signed in', async (t) => {
    const own = await createKey({ name: 'me', scopes: ['admin'] });
    const page = await openDashboard(t, { url, key: own.key }, `?view=keys&key=${own.id}`);
    await page.getByText('You are signed in with it.').waitFor();
    await button(page, 'Rotate…').click();
    await page.getByLabel('The old key expires').selectOption('at once');
    await button(page, 'Rotate').click();
    await button(page, 'I have stored it').click();
    t.equal(await statusWith(own.key), 401);
    await dialog(page, 'me').getByText('Replaced', { exact: true }).waitFor();
  });

  t.test('a key is deleted only after its name is typed, and is denied from then on', async (t) => {
    const { id, key } = await createKey({ name: 'to be gone' });
    const page = await openDashboard(t, dashboard, '?view=keys');
    await openKey(page, 'to be gone');
    await button(page, 'Delete…').click();
    const confirm = button(page, 'Delete');
    t.ok(await confirm.isDisabled());
    await page.getByLabel(/type its name/).fill('to be gone');
    await confirm.click();
    await dialog(page, 'to be gone').waitFor({ state: 'detached' });
    await link(page, 'to be gone').waitFor({ state: 'detached' });
    t.equal(await statusWith(key), 401);
    const events = await fetch(`${url}/v1/api-keys/${id}/events`, { headers });
    t.match(await events.json(), { data: [{ action: 'deleted', actor: 'api-key' }] });
  });

  t.test('a new request appears in the chart of the last day', async (t) => {
    const { key } = await createKey({ name: 'busy' });
    for (let i = 0; i < 3; i++) await statusWith(key);
    const page = await openDashboard(t, dashboard, '?view=keys');
    await page.getByRole('img', { name: /^busy: 3 requests in the last day/ }).waitFor();
  });

  t.test('keys can be searched, selected by state, and shown with the usage and events of their owner', async (t) => {
    const { key } = await createKey({ name: 'Mobile app', ownerId: 'customer-4711', metadata: { plan: 'pro' } });
    await createKey({ name: 'ends soon', expiresAt: new Date(Date.now() + 3 * 86_400_000).toISOString() });
    for (let i = 0; i < 3; i++) await statusWith(key);
    await fetch(`${url}/v1/api-keys/verify`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ key, ip: '192.0.2.9' }),
    });
    const page = await openDashboard(t, dashboard, '?view=keys');
    const rows = page
      .getByRole('table', { name: 'Keys' })
      .or(page.getByLabel('Keys').locator('table'))
      .locator('tbody tr');
    await page.getByLabel('Search keys').fill('mobile');
    await page.keyboard.press('Enter');
    await page.waitForURL(/q=mobile/);
    await rows.filter({ hasText: 'ends soon' }).waitFor({ state: 'detached' });
    await rows.filter({ hasText: 'Mobile app' }).waitFor();
    t.equal(await rows.count(), 1);
    await page.getByLabel('Search keys').fill('');
    await page.keyboard.press('Enter');
    await page.getByLabel('Keys', { exact: true }).and(page.locator('select')).selectOption('Expire within 7 days');
    await rows.filter({ hasText: 'Mobile app' }).waitFor({ state: 'detached' });
    await rows.filter({ hasText: 'ends soon' }).waitFor();
    await page.getByLabel('Keys', { exact: true }).and(page.locator('select')).selectOption('All keys');

    await openKey(page, 'Mobile app');
    const details = dialog(page, 'Mobile app');
    await details.getByText('"plan":"pro"').waitFor();
    await details.getByRole('row', { name: /VALID 4/ }).waitFor();
    await checkEverySizeAndTheme(t, page, 'the usage of a key');
    await details.getByRole('link', { name: 'customer-4711' }).click();
    await page.getByRole('heading', { name: 'Owner customer-4711' }).waitFor();
    await page.getByRole('row', { name: /VALID 4/ }).waitFor();
    await rows.filter({ hasText: 'Mobile app' }).waitFor();
    t.equal(await rows.count(), 1);
    await page.getByText(/“Mobile app”, by the key/).waitFor();
    await checkEverySizeAndTheme(t, page, 'the page of an owner');
    await page.getByRole('link', { name: 'Show requests' }).click();
    await page.waitForURL(/ownerId=customer-4711/);
    await page.getByText('/v1/api-keys/verify').first().waitFor();
  });

  t.test('a key can be changed, and an invalid value is reported at its field', async (t) => {
    const { id } = await createKey({ name: 'changed', scopes: ['a'], ownerId: 'before', metadata: { plan: 'free' } });
    const page = await openDashboard(t, dashboard, `?view=keys&key=${id}`, { expected: /status of 400/ });
    await button(page, 'Change…').click();
    const form = dialog(page, /^Change “changed”$/);
    await checkEverySizeAndTheme(t, page, 'the form of a change');
    await form.getByLabel('Metadata').fill('[1]');
    await button(page, 'Save').click();
    await form.locator('[name="metadata"][aria-invalid="true"]').waitFor();
    await form.getByLabel('Metadata').fill('{"plan":"pro"}');
    await form.getByLabel('Owner').fill('after');
    await form.getByLabel('Addresses').fill('127.0.0.1/8 ::1');
    await button(page, 'Save').click();
    await form.waitFor({ state: 'detached' });
    await dialog(page, 'changed').getByRole('link', { name: 'after', exact: true }).waitFor();
    const response = await fetch(`${url}/v1/api-keys/${id}`, { headers });
    t.match(await response.json(), {
      ...{ name: 'changed', scopes: ['a'], ownerId: 'after', metadata: { plan: 'pro' }, expiresAt: null },
      allowedIps: ['127.0.0.0/8', '::1'],
    });
  });

  t.test('keys are imported from a file with the error of each line, and exported without their secrets', async (t) => {
    const keys = ['one', 'two'].map((name) => ({ name, key: generateKey('mez') }));
    const lines = keys.map(({ name, key }) =>
      JSON.stringify({ name, sha256: createHash('sha256').update(key).digest('hex') }),
    );
    const buffer = Buffer.from([lines[0], '{"name":"no digest"}', 'nonsense', '', lines[1]].join('\r\n'));
    const page = await openDashboard(t, dashboard, '?view=keys');
    await button(page, 'Import…').click();
    await dialog(page, 'Import keys').getByLabel('File').setInputFiles({ name: 'keys.ndjson', mimeType: '', buffer });
    await button(page, 'Import').click();
    await page.getByText('2 created, 0 unchanged, 0 marked as deleted, 2 failed.').waitFor();
    await page.getByText(/^Line 2: .*required/).waitFor();
    await page.getByText('Line 3: is not a JSON object').waitFor();
    await checkEverySizeAndTheme(t, page, 'the result of an import');
    for (const { key } of keys) t.equal(await statusWith(key), 200);
    await button(page, 'Import').click();
    await page.getByText('0 created, 2 unchanged, 0 marked as deleted, 2 failed.').waitFor();
    await page.keyboard.press('Escape');

    const downloading = page.waitForEvent('download');
    await button(page, 'Export').click();
    const download = await downloading;
    t.equal(download.suggestedFilename(), 'api-keys.ndjson');
    const exported = readFileSync(await download.path(), 'utf8');
    for (const line of lines) t.ok(exported.includes(JSON.parse(line).sha256));
    for (const { key } of keys) t.notOk(exported.includes(key));
  });

  t.test('the key list, form, details and deletion are accessible and no wider than the screen', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=keys');
    await page
      .getByRole('img', { name: /requests in the last day/ })
      .first()
      .waitFor();
    await checkEverySizeAndTheme(t, page, 'the list');
    await button(page, 'Create key…').click();
    await checkEverySizeAndTheme(t, page, 'the form');
    await page.keyboard.press('Escape');
    await openKey(page, 'ci');
    await dialog(page, 'ci').locator('ol strong').first().waitFor();
    await checkEverySizeAndTheme(t, page, 'a key');
    await button(page, 'Delete…').click();
    await checkEverySizeAndTheme(t, page, 'the deletion dialog');
  });

  t.test('keys are listed 50 to a page, and a reload stays on the same page', async (t) => {
    for (let i = 0; i < 51; i++) await createKey({ name: `many ${i}` });
    const page = await openDashboard(t, dashboard, '?view=keys');
    await link(page, 'many 50').waitFor();
    t.equal(await page.getByRole('row').count(), 51);
    await button(page, 'Older keys').click();
    await link(page, 'bootstrap').waitFor();
    await page.reload();
    await link(page, 'bootstrap').waitFor();
    await button(page, 'Newest keys').click();
    await link(page, 'many 50').waitFor();
  });

  t.test(
    'no column of the keys is cut on any screen, and long and invisible names can be read and confirmed',
    async (t) => {
      const name = `${'long'.repeat(23)}\u200b\u200dname`;
      await createKey({ name });
      const page = await openDashboard(t, dashboard, '?view=keys');
      const row = page.locator('.cards a.link', { hasText: 'longlong' });
      await row.waitFor();
      for (const width of [1440, 1024, 768, 375, 320]) {
        await page.setViewportSize({ width, height: 800 });
        const cut = await page.evaluate(() => {
          const table = document.querySelector('.table.cards') as HTMLElement;
          return [table, ...table.querySelectorAll<HTMLElement>('td')]
            .filter((element) => element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0)
            .map(({ className, innerText }) => `${className}: ${innerText.slice(0, 40)}`);
        });
        const allowed = width === 1440 ? cut.filter((text) => !text.startsWith('wide')) : cut;
        t.strictSame(allowed, [], `nothing is cut at ${width} px`);
        await checkFits(t, page, `keys at ${width} px`);
      }
      await row.click();
      await button(page, 'Delete…').click();
      await page
        .getByRole('dialog', { name: /^Delete/ })
        .getByRole('textbox')
        .fill(`${'long'.repeat(23)}name`);
      await checkFits(t, page, 'the confirmation');
      await button(page, 'Delete').click();
      await row.waitFor({ state: 'detached' });
    },
  );

  t.test('replaced keys are below the key that replaced them, and all keys can be sorted', async (t) => {
    await createKey({ name: '!oldest' });
    const old = await createKey({ name: 'b turning' });
    await createKey({ name: 'a between' });
    await fetch(`${url}/v1/api-keys/${old.id}/rotate`, { method: 'POST', headers, body: '{}' });
    const page = await openDashboard(t, dashboard, '?view=keys&q=turning');
    await page.getByText('↳').waitFor();
    const names = async () => (await page.locator('.cards td.wide').allInnerTexts()).map((text) => text.trim());
    t.strictSame(await names(), ['b turning', '↳ b turning']);
    await page.goto(`${dashboard.url}/dashboard?view=keys`);
    await link(page, 'a between').waitFor();
    const pageLength = 50;
    for (let i = 0; i < pageLength; i++) await createKey({ name: `newer ${i}` });
    await page.reload();
    await link(page, 'newer 49').waitFor();
    t.equal(await link(page, '!oldest').count(), 0, 'is on the next page');
    await link(page, 'Name').click();
    await page.waitForURL(/sort=name/);
    await link(page, '!oldest').waitFor();
    const sorted = await names();
    t.strictSame(
      sorted.map((name) => name.replace('↳ ', '').toLowerCase()),
      sorted.map((name) => name.replace('↳ ', '').toLowerCase()).toSorted(),
    );
    await page.getByRole('combobox', { name: 'Keys' }).selectOption('Enabled');
    await page.waitForURL(/keys=active/);
    await page.locator('.cards .state', { hasText: 'Disabled' }).waitFor({ state: 'detached' });
  });

  t.test('the page of a key and of an owner has checks, errors and routes of the chosen range', async (t) => {
    const { id, key } = await createKey({ name: 'observed', ownerId: 'watcher' });
    for (const path of ['/v1/me', '/v1/me', '/v1/api-keys'])
      await (await fetch(`${dashboard.url}${path}`, { headers: { 'x-api-key': key } })).body?.cancel();
    const page = await openDashboard(t, dashboard, `?view=keys&key=${id}&range=15m`);
    const details = dialog(page, 'observed');
    await details.getByRole('figure').getByText('VALID').waitFor();
    await details.getByRole('region', { name: 'Routes' }).getByText('GET /v1/me').waitFor();
    await details.getByRole('region', { name: 'Errors' }).getByText('GET /v1/api-keys').waitFor();
    await checkEverySizeAndTheme(t, page, 'the page of a key');
    await details.getByRole('region', { name: 'Errors' }).getByRole('link', { name: /^403/ }).click();
    await page.waitForURL(
      /view=requests&range=15m&management=shown&apiKeyId=.*&method=GET&route=%2Fv1%2Fapi-keys&statusCode=403/,
    );
    await link(page, 'GET /v1/api-keys').waitFor();
    await page.goto(`${dashboard.url}/dashboard?view=keys&ownerId=watcher&range=15m`);
    await page.locator('.owner').getByRole('region', { name: 'Routes' }).getByText('GET /v1/me').waitFor();
    await checkEverySizeAndTheme(t, page, 'the page of an owner');
  });

  t.test('every key that is shown has its name, also beyond the newest 500', async (t) => {
    const { key } = await createKey({ name: 'the oldest' });
    for (let i = 0; i < 500; i += 100)
      await Promise.all(Array.from({ length: 100 }, (_, n) => createKey({ name: `newer ${i + n}` })));
    await statusWith(key);
    const page = await openDashboard(t, dashboard, '?view=requests&path=/v1/me');
    await page.locator('td').getByText('the oldest').first().waitFor();
    t.equal(
      await page
        .locator('td')
        .getByText(/^key …/)
        .count(),
      0,
    );
  });
});
