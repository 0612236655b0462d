import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

/** Mounts a file system in memory, gone when the test ends, and says where. */
export function mounted(t: Test, options: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'musicez-disk-'));
  t.teardown(() => rmdirSync(directory));
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory], { stdio: 'ignore' });
  t.teardown(() => execFileSync('umount', ['-l', directory]));
  return directory;
}

export function turnReadOnly(directory: string): void {
  execFileSync('mount', ['-o', 'remount,ro', directory], { stdio: 'ignore' });
}

/** Why there can be no such disk here, if so: `{ skip: mountMissing(t) }`. */
export function mountMissing(t: Test): string | false {
  if (process.getuid?.() !== 0) return 'needs root, to mount a small disk';
  if (process.env.CI) return false;
  try {
    mounted(t, 'size=64k');
    return false;
  } catch {
    return 'needs a system that lets one mount a small disk';
  }
}
