import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { tsImport } from 'tsx/esm/api';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { clientOf, keyHeaders } from '../app.js';
import { onceIsEnough, ownDatabase } from '../database.js';
import { root } from '../root.js';
import { blocksOf, pages, textOf } from './blocks.js';

onceIsEnough();

const [greetings = '', greetingLine = ''] = blocksOf('README.md', 'ts');
const [orders = '', orderLine = ''] = blocksOf('docs/your-own-routes.md', 'ts');

// Where the modules would lie, so that what they import is there.
const copy = join(root, '.tap', 'route-modules');
rmSync(copy, { recursive: true, force: true });
mkdirSync(join(copy, 'routes'), { recursive: true });
symlinkSync(join(root, 'plugins'), join(copy, 'plugins'));
writeFileSync(join(copy, 'routes', 'greetings.ts'), greetings);
writeFileSync(join(copy, 'routes', 'orders.ts'), orders);

const app = await buildApp(loadConfig({ LOG_LEVEL: 'silent', ...(await ownDatabase()) }));
t.teardown(() => app.close());
const { greetingRoutes } = await tsImport(join(copy, 'routes', 'greetings.ts'), import.meta.url);
const { orderRoutes } = await tsImport(join(copy, 'routes', 'orders.ts'), import.meta.url);
await app.register(greetingRoutes);
await app.register(orderRoutes);
await app.ready();
await app.database.ready;

t.test('the route modules of the pages compile, and are one line to add', async (t) => {
  t.equal(greetingLine.trim(), 'await app.register(greetingRoutes);');
  t.equal(orderLine.trim(), 'await app.register(orderRoutes);');
  const config = { extends: '../../tsconfig.json', include: ['routes', '../../src'] };
  writeFileSync(join(copy, 'tsconfig.json'), JSON.stringify(config));
  // Without tap's loader, under which the compiler's launcher does not start.
  execFileSync('sh', ['-c', 'unset NODE_OPTIONS; exec npx tsc --project "$0"', copy], { cwd: root });
});

t.test("the README's route module does what it says", async (t) => {
  const greet = clientOf(app, await keyHeaders(app, 'greet'));
  t.match(await greet('GET', '/v1/greetings/Ada'), { status: 200, body: { greeting: 'test greet greets Ada' } });
  t.match(await greet('GET', `/v1/greetings/${'a'.repeat(41)}`), { status: 400 });
  t.match(await clientOf(app, {})('GET', '/v1/greetings/Ada'), { status: 401 });
  t.match(await clientOf(app, await keyHeaders(app, 'other'))('GET', '/v1/greetings/Ada'), { status: 403 });
  await app.requestLog.flush();
  t.equal(await app.prisma.requestLog.count({ where: { path: '/v1/greetings/Ada' } }), 3);
});

t.test('so does the one of docs/your-own-routes.md, which stands in the documentation', async (t) => {
  const ask = clientOf(app, await keyHeaders(app, 'orders:read'));
  t.match(await ask('GET', '/v1/orders/7'), { status: 200, body: { total: 12.5 } });
  t.match(await ask('GET', '/v1/orders/8'), { status: 404, body: { code: 'ORDER_NOT_FOUND' } });
  t.match(await ask('GET', '/v1/orders/x'), { status: 400, body: { errors: [{ path: '/params/id' }] } });
  t.match(await clientOf(app, {})('GET', '/v1/orders/7'), { status: 401 });
  const { body } = await ask('GET', '/documentation/json');
  t.match(body.paths['/v1/orders/{id}'].get, { operationId: 'getOrder', responses: { 200: {}, 404: {} } });
});

t.test('every npm command that a page names is there', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const page of pages) {
    const named = new Set(
      [...textOf(page).matchAll(/npm run (?:--silent )?([a-z][a-z:]*)/g)].map(([, name = '']) => name),
    );
    for (const name of named) t.ok(name in scripts, `${page} names ${name}`);
  }
});
