import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../root.js';
import { blocksOf } from './blocks.js';

/** The text of the TypeScript files of an example, without indentation. */
function sourcesOf(example: string): string[] {
  const directory = join(root, 'examples', example);
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !/generated|node_modules|dist/.test(name))
    .map((name) => flat(readFileSync(join(directory, name), 'utf8')));
}

const flat = (text: string) => text.replaceAll(/^ +/gm, '').trim();

t.test('the code on the pages about the package is that of the examples, which other tests run', async (t) => {
  for (const [page, example] of [
    ['docs/library.md', 'service'],
    ['docs/plugins.md', 'plugins'],
  ] as const) {
    const sources = sourcesOf(example);
    const blocks = blocksOf(page, 'ts');
    t.ok(blocks.length > 0, page);
    // Each paragraph of a block is in the example; what is between them may be left out.
    for (const part of blocks.flatMap((block) => block.split('\n\n')))
      t.ok(
        sources.some((source) => source.includes(flat(part))),
        part,
      );
  }
});
