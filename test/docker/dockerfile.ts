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

/** Reads the instructions of a project's Dockerfile, in order. Those before the first FROM have no stage name. */
export function readDockerfile(directory = root): Instruction[] {
  const text = readFileSync(join(directory, 'Dockerfile'), 'utf8');
  const lines = text.replaceAll(/^#.*\n/gm, '').replaceAll(/\\\n\s*/g, '');
  let stage: string | undefined;
  return [...lines.matchAll(/^([A-Z]+) (.*)$/gm)].map(([, keyword = '', rest = '']) => {
    if (keyword === 'FROM') stage = /AS (\w+)$/.exec(rest)?.[1];
    return { keyword, rest, stage };
  });
}

/** The files and directories that a project's Dockerfile copies from its context. */
export function contextOf(directory = root): string[] {
  const copies = readDockerfile(directory).filter(
    ({ keyword, rest }) => keyword === 'COPY' && !rest.startsWith('--from='),
  );
  const paths = copies.flatMap(({ rest }) => rest.split(' ').slice(0, -1));
  return [...new Set(paths.map((path) => path.replace(/\/$/, '')))];
}

/** The paths that a project's .dockerignore includes, and the patterns after them. */
export function ignoreFileOf(directory = root): { included: string[]; patterns: string[] } {
  const patterns = readFileSync(join(directory, '.dockerignore'), 'utf8').match(/^[^#\n].*$/gm) ?? [];
  return {
    included: patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1)),
    patterns,
  };
}
