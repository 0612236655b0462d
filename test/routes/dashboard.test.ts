import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../src/config/index.js';
import { startApp } from '../app.js';
import { ownDatabase } from '../database.js';

const app = await startApp(await ownDatabase());
const { pageDir } = loadConfig({}).dashboard;
const get = (url: string, headers = {}) => app.inject({ url, headers });

const page = await get('/dashboard');
const assets = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => `/${path}`);

t.test('the page is there for whoever asks, and everything that it names', async (t) => {
  t.match(page, { statusCode: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
  t.equal(assets.length, 3);
  for (const path of assets) t.equal((await get(path)).statusCode, 200, path);
  t.match(await get('/dashboard/'), { statusCode: 302, headers: { location: '../dashboard' } });
});

t.test('the page may run and show only what this service serves, and nothing inline', async (t) => {
  for (const path of ['/dashboard', ...assets]) {
    const policy = String((await get(path)).headers['content-security-policy']);
    t.match(policy, /^default-src 'none';/);
    t.notMatch(policy, /unsafe|https?:|\*|data:|blob:/);
    for (const directive of ['base-uri', 'form-action', 'frame-ancestors']) t.match(policy, `${directive} 'none'`);
  }
  t.notMatch(page.body, /\sstyle=|\son\w+=|<style|<script(?![^>]*\ssrc=)/i);
});

t.test('all of it is less than 150 KB over the wire', async (t) => {
  const sizes: number[] = [];
  for (const path of ['/dashboard', ...assets]) {
    const { headers, rawPayload } = await get(path, { 'accept-encoding': 'gzip, deflate, br' });
    t.equal(headers['content-encoding'], 'br', path);
    sizes.push(rawPayload.length);
  }
  const size = sizes.reduce((sum, size) => sum + size);
  t.ok(size < 150_000, `${size} bytes`);
  t.equal((await get('/dashboard', { 'accept-encoding': 'gzip' })).headers['content-encoding'], 'gzip');
});

t.test(
  'a browser keeps what it has until there is another version, and asks for the page itself each time',
  async (t) => {
    t.equal(page.headers['cache-control'], 'no-store');
    for (const path of assets.filter((path) => /\.(js|css)$/.test(path))) {
      t.match(path, /-[A-Z0-9]{8}\./, 'its name changes with its contents');
      t.equal((await get(path)).headers['cache-control'], 'public, max-age=31536000, immutable');
    }
  },
);

t.test('nothing but the files of the page is served, and a path that leads out of them is a problem', async (t) => {
  const outside = ['..%2f..%2fpackage.json', '%2e%2e/%2e%2e/package.json', 'nothing.js', '.', 'main.js'];
  for (const path of outside) {
    const { statusCode, headers, body } = await get(`/dashboard/${path}`);
    t.ok([302, 400, 403, 404].includes(statusCode), `${statusCode} ${path}`);
    t.notMatch(body, /"dependencies"/);
    if (statusCode >= 400) t.match(headers['content-type'], 'application/problem+json', path);
  }
});

t.test('what is built is of one build, without the sources', async (t) => {
  const files = readdirSync(pageDir);
  t.equal(files.filter((file) => file.endsWith('.js')).length, 1);
  t.notOk(files.some((file) => /\.(map|tsx?)$/.test(file) || statSync(join(pageDir, file)).isDirectory()));
  for (const file of files.filter((file) => /\.(js|css|html)$/.test(file))) {
    // Names of XML's vocabularies are no hosts that anything is asked of.
    const text = readFileSync(join(pageDir, file), 'utf8').replaceAll(/http:\/\/www\.w3\.org\/\S+?["'`]/g, '');
    t.notMatch(text, /https?:\/\//, `${file} names no other host`);
  }
});

t.test('the page is no part of the interface that the document describes', async (t) => {
  const { paths } = (await get('/documentation/json')).json();
  t.strictSame(
    Object.keys(paths).filter((path) => path.includes('dashboard')),
    [],
  );
});
