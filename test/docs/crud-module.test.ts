import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { makeCheckout } from '../checkout.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { blocksOf } from './blocks.js';

skipFileOnEmbedded();
t.setTimeout(240_000);

const page = 'docs/your-own-routes.md';
const [model = ''] = blocksOf(page, 'prisma');
const [routes = '', importLine = '', registerLine = '', test = '', calls = ''] = blocksOf(page, 'ts');

// The test follows the page in this copy, as a reader would.
const checkout = makeCheckout();
const variables = { ...(await createTestDatabase({ migrated: false })), TAP_REPORTER: 'tap' };
const run = (command: string) => checkout.run(command, variables);

function insertBefore(file: string, marker: string, text: string) {
  const path = join(checkout.path, file);
  const source = readFileSync(path, 'utf8');
  t.ok(source.includes(marker), `${file} has ${marker}`);
  writeFileSync(
    path,
    source.replace(marker, () => `${text}${marker}`),
  );
}

t.test('the CRUD module of the page migrates, compiles, and passes its tests and the OpenAPI tests', async (t) => {
  appendFileSync(join(checkout.path, 'prisma/schema.prisma'), `\n${model}`);
  writeFileSync(join(checkout.path, 'routes/orders.ts'), routes);
  writeFileSync(join(checkout.path, 'test/routes/orders.test.ts'), test);
  insertBefore('src/app.ts', 'import { probeRoutes }', importLine);
  insertBefore('src/app.ts', '  app.register(probeRoutes', registerLine);
  insertBefore('test/openapi/calls.ts', '  listRequestLogs:', calls);

  const [migrate = ''] = blocksOf(page, 'sh');
  const migrated = run(migrate);
  t.equal(migrated.status, 0, migrated.output);
  t.match(migrated.output, /_add_orders\/migration\.sql written\n(.*\n)*.*_add_orders applied\n/);

  const compiled = run('npm run --silent pretest');
  t.equal(compiled.status, 0, compiled.output);
  const files = ['routes/orders', 'openapi/openapi'].map((name) => `dist-test/test/${name}.test.js`);
  const tested = run(`npm test --ignore-scripts -- ${files.join(' ')}`);
  t.equal(tested.status, 0, tested.output.match(/^ *not ok.*/gm)?.join('\n') ?? tested.output.slice(-2_000));
  for (const file of files) t.match(tested.output, new RegExp(`^ok \\d - .*${basename(file)}`, 'm'));
  t.match(tested.output, /orders\/\S+ +returns 404/);
});
