import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeCheckout } from '../../checkout.js';
import { createTestDatabase, skipFileOnEmbedded } from '../../database.js';

skipFileOnEmbedded();

const checkout = makeCheckout();
const variables = await createTestDatabase();
const schema = join(checkout.path, 'prisma/schema.prisma');
const migrate = (args: string) => checkout.run(`node --import=tsx scripts/prisma/migrate.ts ${args}`, variables);
const rename = (from: string, to: string) =>
  writeFileSync(schema, readFileSync(schema, 'utf8').replace(`  ${from} `, `  ${to} `));

t.test('a migration that loses data is written with a warning, and applied only with --accept-data-loss', async (t) => {
  appendFileSync(schema, '\nmodel Note {\n  id String @id\n  one Int\n  two Int\n  @@map("notes")\n}\n');
  t.match(migrate('--name add_notes').output, /_add_notes\/migration\.sql written\n.*_add_notes applied\n/);

  rename('one', 'first');
  const created = migrate('--name rename_one --create-only');
  t.match(created, { status: 0, output: /^prisma\/migrations\/\d+_rename_one\/migration\.sql written\n$/ });

  rename('two', 'second');
  const held = migrate('--name rename_two');
  t.match(held, { status: 0, output: /\nnot applied, because it would remove column "two" of "notes"/ });

  rename('second', 'last');
  const applied = migrate('--name rename_second --accept-data-loss');
  t.match(applied.output, /_rename_one applied\n.*_rename_two applied\n.*_rename_second applied\n/);
  t.match(migrate('').output, /^nothing to apply$/m);
});
