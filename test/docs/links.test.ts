import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';
import { root } from '../root.js';
import { pages, textOf } from './blocks.js';

t.test('every link on a page points to an existing file and heading', async (t) => {
  for (const page of pages) {
    for (const [, link = ''] of withoutCode(textOf(page)).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? page : normalize(join(dirname(page), file));
      if (!t.ok(existsSync(join(root, target)), `${page} has ${link}`) || anchor === undefined) continue;
      t.ok(anchorsOf(target).has(anchor), `${page} has ${link}`);
    }
  }
});

t.test('README links to every page', async (t) => {
  const readme = textOf('README.md');
  for (const page of pages.slice(1)) t.match(readme, `](${page})`);
});

function withoutCode(text: string): string {
  return text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '');
}

/** Returns the anchors that GitHub creates for the headings. */
function anchorsOf(page: string): Set<string> {
  const headings = [...withoutCode(textOf(page)).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
