import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../src/config/index.js';
import { startApp } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';

skipFileOnEmbedded();

const app = await startApp(await createTestDatabase());
const { pageDir } = loadConfig({}).dashboard;
const get = (url: string, headers = {}) => app.inject({ url, headers });

const page = await get('/dashboard');
const assets = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => `/${path}`);

t.test('the page and its files are served without a key', async (t) => {
  t.match(page, { statusCode: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
  t.equal(assets.length, 3);
  for (const path of assets) t.equal((await get(path)).statusCode, 200, path);
  t.match(await get('/dashboard/'), { statusCode: 302, headers: { location: '../dashboard' } });
});

t.test('the page can load only resources of this service, and has no inline scripts or styles', async (t) => {
  for (const path of ['/dashboard', ...assets]) {
    const policy = String((await get(path)).headers['content-security-policy']);
    t.match(policy, /^default-src 'none';/);
    t.notMatch(policy, /unsafe|https?:|\*|data:|blob:/);
    for (const directive of ['base-uri', 'form-action', 'frame-ancestors']) t.match(policy, `${directive} 'none'`);
  }
  t.notMatch(page.body, /\sstyle=|\son\w+=|<style|<script(?![^>]*\ssrc=)/i);
});

t.test(
  'the page with its files is smaller than 100 KB with gzip, and is sent with Brotli where possible',
  async (t) => {
    const sizes: number[] = [];
    for (const path of ['/dashboard', ...assets]) {
      const { headers, rawPayload } = await get(path, { 'accept-encoding': 'gzip' });
      t.equal(headers['content-encoding'], 'gzip', path);
      sizes.push(rawPayload.length);
      t.equal((await get(path, { 'accept-encoding': 'gzip, deflate, br' })).headers['content-encoding'], 'br', path);
    }
    const size = sizes.reduce((sum, size) => sum + size);
    t.ok(size < 100_000, `${size} bytes`);
  },
);

t.test('browsers cache scripts and styles until their names change, and never the page itself', async (t) => {
  t.equal(page.headers['cache-control'], 'no-store');
  for (const path of assets.filter((path) => /\.(js|css)$/.test(path))) {
    t.match(path, /-[A-Z0-9]{8}\./, 'its name changes with its contents');
    t.equal((await get(path)).headers['cache-control'], 'public, max-age=31536000, immutable');
  }
});

t.test('only the files of the page are served, and other paths return a problem or a redirect', async (t) => {
  const outside = ['..%2f..%2fpackage.json', '%2e%2e/%2e%2e/package.json', 'nothing.js', '.', 'main.js'];
  for (const path of outside) {
    const { statusCode, headers, body } = await get(`/dashboard/${path}`);
    t.ok([302, 400, 403, 404].includes(statusCode), `${statusCode} ${path}`);
    t.notMatch(body, /"dependencies"/);
    if (statusCode >= 400) t.match(headers['content-type'], 'application/problem+json', path);
  }
});

t.test('the build output has one script, no sources and no URLs of other hosts', async (t) => {
  const files = readdirSync(pageDir);
  t.equal(files.filter((file) => file.endsWith('.js')).length, 1);
  t.notOk(files.some((file) => /\.(map|tsx?)$/.test(file) || statSync(join(pageDir, file)).isDirectory()));
  for (const file of files.filter((file) => /\.(js|css|html)$/.test(file))) {
    // XML namespaces are names, not hosts that receive requests.
    const text = readFileSync(join(pageDir, file), 'utf8').replaceAll(/http:\/\/www\.w3\.org\/\S+?["'`]/g, '');
    t.notMatch(text, /https?:\/\//, `${file} contains no other host`);
  }
});

t.test('the OpenAPI document does not describe the dashboard', async (t) => {
  const { paths } = (await get('/documentation/json')).json();
  t.strictSame(
    Object.keys(paths).filter((path) => path.includes('dashboard')),
    [],
  );
});
