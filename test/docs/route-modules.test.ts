import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { tsImport } from 'tsx/esm/api';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { clientOf, keyHeaders } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { root } from '../root.js';
import { blocksOf, pages, textOf } from './blocks.js';

skipFileOnEmbedded();

const [greetings = '', ...greetingLines] = blocksOf('README.md', 'ts');

// The module is written next to a link to plugins, so that its imports resolve.
const copy = join(root, '.tap', 'route-modules');
rmSync(copy, { recursive: true, force: true });
mkdirSync(join(copy, 'routes'), { recursive: true });
symlinkSync(join(root, 'plugins'), join(copy, 'plugins'));
writeFileSync(join(copy, 'routes', 'greetings.ts'), greetings);

const app = await buildApp(loadConfig({ LOG_LEVEL: 'silent', ...(await createTestDatabase()) }));
t.teardown(() => app.close());
const { greetingRoutes } = await tsImport(join(copy, 'routes', 'greetings.ts'), import.meta.url);
await app.register(greetingRoutes);
await app.ready();
await app.database.ready;

t.test("the README's route module compiles and is added with two lines", async (t) => {
  t.strictSame(
    greetingLines.map((line) => line.trim()),
    ["import { greetingRoutes } from '../routes/greetings.js';", 'app.register(greetingRoutes);'],
  );
  const config = { extends: '../../tsconfig.json', include: ['routes', '../../src'] };
  writeFileSync(join(copy, 'tsconfig.json'), JSON.stringify(config));
  // The compiler's launcher does not start under tap's loader.
  execFileSync('sh', ['-c', 'unset NODE_OPTIONS; exec npx tsc --project "$0"', copy], { cwd: root });
});

t.test("the README's route module greets, validates its input, requires its scope and is logged", async (t) => {
  const greet = clientOf(app, await keyHeaders(app, 'greet'));
  t.match(await greet('GET', '/v1/greetings/Ada'), { status: 200, body: { greeting: 'test greet greets Ada' } });
  t.match(await greet('GET', `/v1/greetings/${'a'.repeat(41)}`), { status: 400 });
  t.match(await clientOf(app, {})('GET', '/v1/greetings/Ada'), { status: 401 });
  t.match(await clientOf(app, await keyHeaders(app, 'other'))('GET', '/v1/greetings/Ada'), { status: 403 });
  await app.requestLog.flush();
  t.equal(await app.prisma.requestLog.count({ where: { path: '/v1/greetings/Ada' } }), 3);
});

t.test('every npm script that a page mentions exists', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const page of pages) {
    const named = new Set(
      [...textOf(page).matchAll(/npm run (?:--silent )?([a-z][a-z:-]*)/g)].map(([, name = '']) => name),
    );
    for (const name of named) t.ok(name in scripts, `${page} names ${name}`);
  }
});
