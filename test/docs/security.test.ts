import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../root.js';

const page = readFileSync(join(root, 'SECURITY.md'), 'utf8');

t.test('every guarantee and every attack in SECURITY.md lists existing test files', async (t) => {
  const tables = [...page.matchAll(/\| --- \| --- \| --- \|\n((?:\|.*\n)+)/g)];
  t.equal(tables.length, 2);
  const rows = tables.flatMap(([, table = '']) => table.trim().split('\n'));
  t.ok(rows.length > 20);
  for (const row of rows) {
    const files = [...row.matchAll(/`(test\/[\w./-]+\.test\.ts)`/g)].map(([, file = '']) => file);
    t.ok(files.length > 0, row);
    for (const file of files) t.ok(existsSync(join(root, file)), file);
  }
});
