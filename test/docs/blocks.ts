import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../root.js';

/** All pages of the documentation, as paths from the root. */
export const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

export function textOf(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

/** The fenced blocks of a page in these languages, in order, without indentation. */
export function blocksOf(page: string, ...languages: string[]): string[] {
  return [...textOf(page).matchAll(/^( *)```(\w+)\n([\s\S]*?)^ *```$/gm)]
    .filter(([, , language = '']) => languages.includes(language))
    .map(([, indent = '', , code = '']) => code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''));
}

/** The commands in the shell blocks of a page, without comments; lines that end with a backslash are joined. */
export function commandsOf(page: string): string[] {
  return blocksOf(page, 'sh', 'bash').flatMap((block) =>
    block
      .replaceAll(/ *\\\n */g, ' ')
      .split('\n')
      .filter((line) => line.trim() !== '' && !line.startsWith('#')),
  );
}
