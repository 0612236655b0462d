import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { packageRoot } from '../src/config/index.js';

/**
 * The arguments of Node.js in `npm start`, with the script last.
 *
 * @param root the directory of this service, or of another version of it
 */
export function serviceIn(root: string): string[] {
  const { scripts } = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8'));
  return scripts.start
    .split(' ')
    .slice(1)
    .map((word: string) => (word.startsWith('-') ? word : resolve(root, word)));
}

export const service = serviceIn(packageRoot);
