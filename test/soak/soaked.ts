import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startService } from '../process.js';

/** The number of items of each kind. */
type Counts = Record<string, number>;

/** The memory and resources of the process at one time. */
export interface Vitals {
  /** Bytes in use on the heap after a garbage collection. */
  heapUsed: number;
  /** Resident bytes. */
  rss: number;
  /** What the event loop waits for, such as timers. */
  resources: Counts;
  /** Open file descriptors, such as sockets and files. */
  descriptors: Counts;
}

const vitalsModule = pathToFileURL(join(import.meta.dirname, 'vitals.js')).href;

/** Starts the built service with a module that reports its resources. */
export async function startSoaked(variables: NodeJS.ProcessEnv) {
  const service = await startService({ ...variables, NODE_OPTIONS: `--import=${vitalsModule}` });
  let reportCount = 0;
  return {
    ...service,
    async vitals(): Promise<Vitals> {
      service.child.kill('SIGWINCH');
      const [, output = ''] = await service.waitFor(new RegExp(`^vitals ${++reportCount} (.*)\n`, 'm'));
      const { resources, ...memory } = JSON.parse(output) as { heapUsed: number; rss: number; resources: string[] };
      return { ...memory, resources: countEach(resources), descriptors: countEach(openFiles(service.child.pid)) };
    },
  };
}

/** Returns what has increased, such as `3 Timeout`. */
export function increases(before: Vitals, now: Vitals): string[] {
  return [...increasesOf(before.resources, now.resources), ...increasesOf(before.descriptors, now.descriptors)];
}

/** Returns the total number. */
export function sumOf(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** @returns paths, and for descriptors without a path the kind, such as `socket` */
function openFiles(pid: number | undefined): string[] {
  const links = readdirSync(`/proc/${pid}/fd`).map((descriptor) => linkOf(`/proc/${pid}/fd/${descriptor}`));
  // Ignores the lock of the spool, a socket without clients. It is opened on first use and kept.
  const [, lock] = /(\d+) \S*\/spool\/\S+\/lock$/m.exec(readFileSync(`/proc/${pid}/net/unix`, 'utf8')) ?? [];
  return links.filter((link) => link && link !== `socket:[${lock}]`).map((link) => link.replace(/:\[\d+\]$/, ''));
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    // The descriptor has been closed.
    return '';
  }
}

function increasesOf(before: Counts, now: Counts): string[] {
  return Object.entries(now)
    .map(([kind, count]) => ({ kind, increase: count - (before[kind] ?? 0) }))
    .filter(({ increase }) => increase > 0)
    .map(({ kind, increase }) => `${increase} ${kind}`);
}

function countEach(kinds: string[]): Counts {
  const counts: Counts = {};
  for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}
