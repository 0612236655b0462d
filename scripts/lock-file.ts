import { readFileSync } from 'node:fs';

/** A package in package-lock.json. */
export interface LockedPackage {
  version: string;
  integrity?: string;
  resolved?: string;
  hasInstallScript?: boolean;
  /** These mark packages that the service itself does not need. */
  dev?: boolean;
  optional?: boolean;
  devOptional?: boolean;
}

export interface LockFile {
  /** By path, such as `node_modules/pg`; the project itself has the empty path. */
  packages: Record<string, LockedPackage>;
}

/** @param root the project's directory */
export function readLockFile(root: string): LockFile {
  return JSON.parse(readFileSync(`${root}/package-lock.json`, 'utf8'));
}

/** Extensions of PGlite that its socket server names as peers. The Dockerfile removes them. */
const unusedPeer = /^node_modules\/@electric-sql\/pglite-(?!socket$)/;

/** @returns the packages of the image, which the Dockerfile installs with `--omit=dev --omit=optional`, by path */
export function productionPackages({ packages }: LockFile): [path: string, LockedPackage][] {
  return Object.entries(packages).filter(
    ([path, { dev, optional, devOptional }]) =>
      path !== '' && !dev && !optional && !devOptional && !unusedPeer.test(path),
  );
}
