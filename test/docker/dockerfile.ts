import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../root.js';

/** One of the Dockerfile's instructions, its lines joined. */
export interface Instruction {
  keyword: string;
  rest: string;
  /** What the stage is called that it belongs to; the last one, which is the image, has no name. */
  stage: string | undefined;
}

/** The project's directory. */

/** Reads the project's Dockerfile, in order. What comes before the first FROM is of the image's stage too. */
export function readDockerfile(): Instruction[] {
  const text = readFileSync(join(root, 'Dockerfile'), 'utf8');
  const lines = text.replaceAll(/^#.*\n/gm, '').replaceAll(/\\\n\s*/g, '');
  let stage: string | undefined;
  return [...lines.matchAll(/^([A-Z]+) (.*)$/gm)].map(([, keyword = '', rest = '']) => {
    if (keyword === 'FROM') stage = /AS (\w+)$/.exec(rest)?.[1];
    return { keyword, rest, stage };
  });
}
