import { readFileSync } from 'node:fs';

/** A package as package-lock.json has it. */
export interface LockedPackage {
  version: string;
  integrity?: string;
  resolved?: string;
  hasInstallScript?: boolean;
  /** Why a package is there, unless the service itself needs it. */
  dev?: boolean;
  optional?: boolean;
  devOptional?: boolean;
  peer?: boolean;
}

export interface LockFile {
  /** By path, such as `node_modules/pg`; the project itself is the empty one. */
  packages: Record<string, LockedPackage>;
}

/** @param root the project's directory */
export function readLockFile(root: string): LockFile {
  return JSON.parse(readFileSync(`${root}/package-lock.json`, 'utf8'));
}

/** @returns the packages that the Dockerfile installs, with `--omit=dev --omit=optional --omit=peer`, by path */
export function productionPackages({ packages }: LockFile): [path: string, LockedPackage][] {
  return Object.entries(packages).filter(
    ([path, { dev, optional, devOptional, peer }]) => path !== '' && !dev && !optional && !devOptional && !peer,
  );
}
