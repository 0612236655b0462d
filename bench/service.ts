import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** The arguments of Node.js in `npm start`, with the script last. */
export const service: string[] = scripts.start
  .split(' ')
  .slice(1)
  .map((word: string) => (word.startsWith('-') ? word : fileURLToPath(new URL(`../${word}`, import.meta.url))));
