import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { buildApp } from '../src/app.js';
import { loadConfig } from '../src/config/index.js';
import { clientOf, keyHeaders } from './app.js';
import { ownDatabase } from './database.js';

const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

t.test("the README's route module compiles, is one line to add, and does what it says", async (t) => {
  const [module = '', line = ''] = [...readme.matchAll(/```ts\n([^`]+(?:`[^`\n]*`[^`]+)*)```/g)].map(
    ([, code]) => code,
  );
  t.match(module, "app.requireApiKey('greet')");
  t.equal(line.trim(), 'await app.register(greetingRoutes);');

  const copy = join(root, '.tap', 'readme');
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(join(copy, 'routes'), { recursive: true });
  symlinkSync(join(root, 'plugins'), join(copy, 'plugins'));
  writeFileSync(join(copy, 'routes', 'greetings.ts'), module);
  writeFileSync(
    join(copy, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', include: ['routes', '../../src'] }),
  );
  // Without tap's loader, under which the compiler's launcher does not start.
  execFileSync('sh', ['-c', 'unset NODE_OPTIONS; exec npx tsc --project "$0"', copy], { cwd: root });

  const app = await buildApp(loadConfig({ LOG_LEVEL: 'silent', ...(await ownDatabase()) }));
  t.teardown(() => app.close());
  const { greetingRoutes } = await import(join(copy, 'routes', 'greetings.ts'));
  await app.register(greetingRoutes);
  await app.ready();
  await app.database.ready;
  const greet = clientOf(app, await keyHeaders(app, 'greet'));
  t.match(await greet('GET', '/v1/greetings/Ada'), { status: 200, body: { greeting: 'test greet greets Ada' } });
  t.match(await greet('GET', `/v1/greetings/${'a'.repeat(41)}`), { status: 400 });
  t.match(await clientOf(app, {})('GET', '/v1/greetings/Ada'), { status: 401 });
  t.match(await clientOf(app, await keyHeaders(app, 'other'))('GET', '/v1/greetings/Ada'), { status: 403 });
  await app.requestLog.flush();
  t.equal(await app.prisma.requestLog.count({ where: { path: '/v1/greetings/Ada' } }), 3);
});

t.test('every command that README names is there', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const named = new Set([...readme.matchAll(/npm (?:run )?([a-z][a-z:]*)/g)].map(([, name = '']) => name));
  for (const name of named) t.ok(name === 'ci' || name in scripts, name);
});

t.test('every file that README points to is there', async (t) => {
  for (const [, file = ''] of readme.matchAll(/\]\((?!http)([^)]+)\)/g))
    t.ok(readFileSync(join(root, file)).length > 0, file);
});
