import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../root.js';

/** What `npm pack --json` reports. */
export interface Packed {
  filename: string;
  size: number;
  unpackedSize: number;
  files: { path: string; size: number }[];
}

/** Packs the package in `source`, by default the built one of this checkout, into a directory. */
export function pack(directory: string, source = root): Packed {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', directory];
  const [packed] = JSON.parse(execFileSync('npm', args, { cwd: source, encoding: 'utf8' })) as [Packed];
  return packed;
}

/** Packs a later version of a package: with its version, and one migration more. @returns the file */
export function packLater(tarball: string, directory: string, version: string): string {
  const source = join(directory, 'later');
  unpack(tarball, source);
  const manifest = join(source, 'package.json');
  writeFileSync(manifest, JSON.stringify({ ...JSON.parse(readFileSync(manifest, 'utf8')), version }));
  const migration = join(source, 'prisma/migrations/20990101000000_later');
  mkdirSync(migration);
  writeFileSync(join(migration, 'migration.sql'), 'CREATE TABLE later (id int);');
  return join(directory, pack(directory, source).filename);
}

/**
 * Installs a packed package into a project, also in place of an installed one. All other packages are links to those of this checkout,
 * so that no registry is needed.
 */
export function install(directory: string, tarball: string): void {
  const modules = join(directory, 'node_modules');
  rmSync(modules, { recursive: true, force: true });
  unpack(tarball, join(modules, 'musicez'));
  for (const name of readdirSync(join(root, 'node_modules')))
    if (name === '.bin' || !name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
}

export function unpack(tarball: string, directory: string): void {
  mkdirSync(directory, { recursive: true });
  execFileSync('tar', ['xzf', tarball, '--strip-components=1', '-C', directory]);
}

/** Compiles a project as its author would. */
export function compile(directory: string): { status: number | null; stdout: string } {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc], { cwd: directory, encoding: 'utf8' });
  return { status, stdout };
}
