import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { root } from '../root.js';
import { temporaryDirectory } from '../temporary-directory.js';

/** What `npm pack --json` reports. */
export interface Packed {
  filename: string;
  size: number;
  unpackedSize: number;
  files: { path: string; size: number }[];
}

/** Packs the built package into a directory. */
export function pack(directory: string): Packed {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', directory];
  const [packed] = JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8' })) as [Packed];
  return packed;
}

/**
 * Creates a project that has the packed package as a dependency. All other packages are links to those of this checkout, so that no
 * registry is needed.
 *
 * @param example a directory in `examples/`, which is copied
 * @param tarball the file that `pack` wrote
 * @returns the directory of the project
 */
export function createProject(t: Test, example: string, tarball: string): string {
  const directory = temporaryDirectory(t);
  cpSync(join(root, 'examples', example), directory, { recursive: true });
  const modules = join(directory, 'node_modules');
  mkdirSync(join(modules, 'musicez'), { recursive: true });
  execFileSync('tar', ['xzf', tarball, '--strip-components=1', '-C', join(modules, 'musicez')]);
  for (const name of readdirSync(join(root, 'node_modules')))
    if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  return directory;
}
