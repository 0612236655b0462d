import t from 'tap';
import { needsCluster, startCluster } from '../cluster.js';
import { checkAccessibility, checkEverySizeAndTheme, needsBrowser, openDashboard, startDashboard } from './browser.js';

t.test('health', { skip: needsBrowser || needsCluster }, async (t) => {
  const database = await startCluster(t);
  const dashboard = await startDashboard({ DATABASE_URL: database.url });

  t.test('the health view is accessible and no wider than the screen', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=health');
    await page.getByText('apply at once').waitFor();
    t.match(await page.locator('.health-state').textContent(), /^Healthy\./);
    await checkEverySizeAndTheme(t, page, 'health');
  });

  t.test(
    'the page reports a stopped database, stays usable, and recovers without a reload when the database is back',
    async (t) => {
      const page = await openDashboard(t, dashboard, '?view=health', { expected: /status of 503/ });
      const state = page.locator('.health-state');
      const figure = (name: string) => page.locator('dl').locator(`dt:text-is("${name}") + dd`);
      await state.getByText('Healthy.').waitFor();
      await database.stop('immediate');
      await state.getByText('The database does not answer.').waitFor();
      await page.getByText('No answer', { exact: true }).waitFor();
      await page.getByText('on disk until the database accepts them').waitFor();
      t.equal(await figure('Dropped').textContent(), '0');
      await checkAccessibility(t, page, 'health without a database');

      const views = page.getByRole('navigation', { name: 'Views' });
      for (const view of ['Overview', 'Requests', 'Keys']) {
        await views.getByText(view).click();
        await page.getByText(/^Database down since \d\d:\d\d:\d\d$/).waitFor();
        await page.getByRole('alert').getByText('503 Service Unavailable.').first().waitFor();
        await page.getByRole('button', { name: 'Try again' }).first().waitFor();
      }
      await checkAccessibility(t, page, 'keys without a database');

      await views.getByText('Requests').click();
      await page.getByRole('alert').getByText('503 Service Unavailable.').first().waitFor();
      await page.getByText('Not live: the database is down').waitFor();
      await checkAccessibility(t, page, 'requests without a database');
      await database.start();
      await page.locator('.opens-row').first().waitFor({ timeout: 30_000 });
      await page.getByRole('alert').first().waitFor({ state: 'detached' });
      await page.getByText('Live', { exact: true }).waitFor();
      t.equal(await page.getByText(/missed/).count(), 0, 'nothing was missed');
      await page.getByText(/^Database down/).waitFor({ state: 'detached' });
      await views.getByText('Keys').click();
      await page.getByRole('link', { name: 'bootstrap', exact: true }).waitFor();
      await views.getByText('Health').click();
      await state.getByText('Healthy.').waitFor();
      t.equal(await figure('Dropped').textContent(), '0');
    },
  );

  t.test('figures of one range never stand under the label of another, and old figures have their time', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=overview&management=shown', { expected: /status of 503/ });
    const range = (name: string) => page.getByRole('button', { name, exact: true });
    const figures = page.locator('.figures');
    await figures.getByText('in the last hour').first().waitFor();
    await range('24 h').click();
    await figures.getByText('in the last 24 hours').first().waitFor();
    await database.stop('immediate');
    await range('15 min').click();
    await page.getByRole('alert').getByText('503 Service Unavailable.').first().waitFor();
    t.equal(await figures.count(), 0, 'no figure of the last 24 hours is shown for 15 minutes');
    await range('24 h').click();
    await page
      .getByText(/^503 Service Unavailable.*The data of \d\d:\d\d:\d\d is shown\.$/)
      .first()
      .waitFor();
    await figures.getByText('in the last 24 hours').first().waitFor();
    await checkAccessibility(t, page, 'old figures');
    await database.start();
    await range('15 min').click();
    await figures.getByText('in the last 15 minutes').first().waitFor({ timeout: 30_000 });
  });

  t.test('a 503 response of a proxy is not shown as the health of the service', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=health', { expected: /status of 503/ });
    await page.locator('.health-state').getByText('Healthy.').waitFor();
    await page.route('**/health', (route) =>
      route.fulfill({ status: 503, contentType: 'text/html', body: '<h1>No server is available</h1>' }),
    );
    await page.getByRole('alert').getByText('The service answered with status 503.').waitFor();
  });

  t.test('the page reports an unreachable service, keeps its data, and recovers automatically', async (t) => {
    const page = await openDashboard(t, dashboard, '?view=health', { expected: /ERR_INTERNET_DISCONNECTED/ });
    await page.locator('.health-state').getByText('Healthy.').waitFor();
    await page.context().setOffline(true);
    await page.getByText('This computer is offline.').waitFor();
    await page.getByText('Disconnected, reconnecting…').waitFor();
    await page
      .getByRole('alert')
      .getByText(/The data of \d\d:\d\d:\d\d is shown\./)
      .waitFor();
    await page.locator('.health-state').getByText('The state is unknown.').waitFor();
    t.equal(await page.getByText('Healthy.').count(), 0);
    await checkAccessibility(t, page, 'health without an answer');
    await page.context().setOffline(false);
    await page.getByRole('alert').waitFor({ state: 'detached' });
  });
});
