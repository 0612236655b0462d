import t from 'tap';
import { checkEverySizeAndTheme, needsBrowser, openDashboard, openPage, startDashboard } from './browser.js';

// The console error of the browser for each response with a status of 400 or higher.
const expectedErrors = /status of (400|401|403|503)/;

t.test('signing in to the dashboard', { skip: needsBrowser }, async (t) => {
  const dashboard = await startDashboard();
  const { url, key } = dashboard;
  const admin = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const create = async (body: object): Promise<{ id: string; key: string }> => {
    const response = await fetch(`${url}/v1/api-keys`, { method: 'POST', headers: admin, body: JSON.stringify(body) });
    return (await response.json()) as { id: string; key: string };
  };

  t.test('a wrong key, a key without admin and an unreachable service have different messages', async (t) => {
    const page = await openPage(t, url, { expected: /status of (400|401|403|503)|ERR_FAILED|ERR_INTERNET/ });
    await page.goto(`${url}/dashboard`);
    const field = page.getByLabel('Admin key');
    const message = page.getByRole('alert');
    const attempt = async (given: string) => {
      await field.fill(given);
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Sign in', disabled: false }).waitFor();
    };
    const showsMessage = async (words: RegExp) => t.match(await message.filter({ hasText: words }).innerText(), words);

    await attempt(' ');
    await showsMessage(/Paste an admin key/);
    await attempt('ключ');
    await showsMessage(/does not look like a key/);
    await attempt(`${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`);
    await showsMessage(/not a key of this service/);
    await attempt((await create({ name: 'reader', scopes: ['read'] })).key);
    await showsMessage(/“reader” is a valid key, but not an admin key/);
    await page.context().setOffline(true);
    await attempt(key);
    await showsMessage(/cannot be reached/);
    await page.context().setOffline(false);
    const problem = { status: 503, title: 'Service Unavailable', detail: 'the database does not answer just now' };
    await page.route('**/v1/me', (route) => route.fulfill({ status: 503, json: problem }));
    await attempt(key);
    await showsMessage(/cannot check keys at the moment: the database does not answer/);
    await page.unroute('**/v1/me');

    t.equal(
      await page.evaluate(() => sessionStorage.length + localStorage.length),
      0,
      'nothing is stored in the browser',
    );
    await field.fill(key);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
  });

  t.test('the key is sent only as a header and is removed on sign-out', async (t) => {
    const page = await openPage(t, url);
    const sent: { url: string; hasHeader: boolean }[] = [];
    page.on('request', (request) =>
      sent.push({ url: request.url(), hasHeader: request.headers().authorization === `Bearer ${key}` }),
    );
    await page.goto(`${url}/dashboard?view=requests`);
    await page.getByLabel('Admin key').fill(key);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('.opens-row').first().waitFor();
    t.notOk(sent.some(({ url }) => url.includes(key)));
    t.ok(sent.filter(({ url }) => url.includes('/v1/')).every(({ hasHeader }) => hasHeader));
    t.equal(await page.evaluate(() => localStorage.length + document.cookie.length), 0);
    await page.reload();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Admin key').waitFor();
    t.equal(await page.evaluate(() => sessionStorage.length), 0);
    t.notMatch(await page.content(), key);
  });

  t.test(
    'a session ends with a message when its key becomes invalid, and signing in returns to the same view',
    async (t) => {
      const second = await create({ name: 'second', scopes: ['admin'] });
      const place = '?view=requests&method=GET&statusCode=200';
      const page = await openDashboard(t, { url, key: second.key }, place, { expected: expectedErrors });
      await page.getByText('Live', { exact: true }).waitFor();
      await fetch(`${url}/v1/api-keys/${second.id}`, {
        method: 'PATCH',
        headers: admin,
        body: JSON.stringify({ active: false }),
      });
      await page.getByText('The key is no longer valid').waitFor();
      t.equal(new URL(page.url()).search, place);
      await page.getByLabel('Admin key').fill(key);
      await page.keyboard.press('Enter');
      await page.locator('.opens-row').first().waitFor();
      t.equal(new URL(page.url()).search, place);
      await page.getByText('status 200').waitFor();
    },
  );

  t.test('a key can be pasted with its header, and wrapped over lines', async (t) => {
    const wrapped = `${key.slice(0, 20)}\n  ${key.slice(20)}\n`;
    for (const text of [`Bearer ${key}`, `Authorization: Bearer ${key}`, `X-API-Key: ${key}`, wrapped]) {
      const page = await openPage(t, url);
      await page.goto(`${url}/dashboard`);
      await page.getByLabel('Admin key').fill(text);
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Sign out' }).waitFor();
      await page.close();
    }
    t.pass();
  });

  t.test('sign-in works by keyboard and is accessible in light and dark mode, on desktop and phone', async (t) => {
    const page = await openPage(t, url, { expected: expectedErrors });
    await page.goto(`${url}/dashboard`);
    await page.locator('input:focus').waitFor();
    await page.keyboard.type('nonsense');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').filter({ hasText: 'not a key' }).waitFor();
    await checkEverySizeAndTheme(t, page, 'signing in');
  });
});
