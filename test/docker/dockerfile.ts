import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../root.js';

/** An instruction of the Dockerfile, with its continuation lines joined. */
export interface Instruction {
  keyword: string;
  rest: string;
  /** The name of its stage; undefined for the last stage, which is the image. */
  stage: string | undefined;
}

/** Reads the instructions of the project's Dockerfile, in order. Those before the first FROM have no stage name. */
export function readDockerfile(): Instruction[] {
  const text = readFileSync(join(root, 'Dockerfile'), 'utf8');
  const lines = text.replaceAll(/^#.*\n/gm, '').replaceAll(/\\\n\s*/g, '');
  let stage: string | undefined;
  return [...lines.matchAll(/^([A-Z]+) (.*)$/gm)].map(([, keyword = '', rest = '']) => {
    if (keyword === 'FROM') stage = /AS (\w+)$/.exec(rest)?.[1];
    return { keyword, rest, stage };
  });
}
