import { execFileSync, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { temporaryDirectory } from '../../temporary-directory.js';

/** Mounts a file system in memory, and unmounts it when the test ends. @returns its directory */
export function mountDisk(t: Test, options: string): string {
  const directory = temporaryDirectory(t);
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory], { stdio: 'ignore' });
  t.teardown(() => execFileSync('umount', ['-l', directory]));
  return directory;
}

/** Makes the file system read-only, as soon as no process has one of its files open for writing. */
export async function remountReadOnly(directory: string): Promise<void> {
  while (spawnSync('mount', ['-o', 'remount,ro', directory]).status !== 0) await sleep(20);
}

/** Returns why this machine cannot mount a small disk, or false: `{ skip: mountSkipReason(t) }`. */
export function mountSkipReason(t: Test): string | false {
  if (process.getuid?.() !== 0) return 'needs root, to mount a small disk';
  if (process.env.CI) return false;
  try {
    mountDisk(t, 'size=64k');
    return false;
  } catch {
    return 'needs a system that allows mounting a small disk';
  }
}
