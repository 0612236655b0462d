import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { skipFileOnEmbedded } from './database.js';
import { root } from './root.js';
import { temporaryDirectory } from './temporary-directory.js';

skipFileOnEmbedded();

const rules = ['suspicious/noImportCycles', 'style/noRestrictedImports'].map((rule) => `--only=${rule}`);

function lint(directory: string) {
  const program = join(root, 'node_modules/@biomejs/biome/bin/biome');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'lint', ...rules], {
    cwd: directory,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return { status, output: stdout + stderr };
}

t.test('imports run src → routes → plugins → npm, without a cycle', async (t) => {
  const { status, output } = lint(root);
  t.equal(status, 0, output);
});

t.test('the linter finds an import in the wrong direction and a cycle of type imports', async (t) => {
  // Outside of the checkout, because Biome skips the ignored directories in it.
  const directory = temporaryDirectory(t);
  const { vcs: _, ...config } = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'));
  const files = {
    'biome.json': JSON.stringify(config),
    'plugins/up.ts': "export { b } from '../routes/b.js';\n",
    'routes/b.ts': "export { c as b } from '../src/c.js';\n",
    'src/c.ts': "import type { D } from './d.js';\nexport const c: D = 1;\nexport type C = typeof c;\n",
    'src/d.ts': "import type { C } from './c.js';\nexport type D = number | C;\n",
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
  const { status, output } = lint(directory);
  t.not(status, 0);
  for (const file of ['plugins/up.ts', 'routes/b.ts', 'src/c.ts', 'src/d.ts']) t.match(output, file);
});
