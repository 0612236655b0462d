import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'SECURITY.md'), 'utf8');

t.test('every promise names the tests that hold it, and they are there', async (t) => {
  const [, table = ''] = /\| --- \| --- \| --- \|\n((?:\|.*\n)+)/.exec(page) ?? [];
  const rows = table.trim().split('\n');
  t.ok(rows.length > 10);
  for (const row of rows) {
    const files = [...row.matchAll(/`(test\/[\w./-]+\.test\.ts)`/g)].map(([, file = '']) => file);
    t.ok(files.length > 0, row);
    for (const file of files) t.ok(existsSync(join(root, file)), file);
  }
});

t.test('every file that the page points to is there', async (t) => {
  for (const [, file = ''] of page.matchAll(/\]\((?!http)([^)#]+)/g)) t.ok(existsSync(join(root, file)), file);
});
