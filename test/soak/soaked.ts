import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startService } from '../process.js';

/** How many of each kind. */
type Counts = Record<string, number>;

/** What the process holds at one moment. */
export interface Vitals {
  /** Bytes of the heap that something refers to, garbage collected. */
  heapUsed: number;
  /** Resident bytes. */
  rss: number;
  /** What the event loop waits for, such as timers. */
  resources: Counts;
  /** Open file descriptors, such as sockets and files. */
  descriptors: Counts;
}

const vitalsModule = pathToFileURL(join(import.meta.dirname, 'vitals.js')).href;

/** Starts the service as it is deployed, but able to tell what it holds. */
export async function startSoaked(variables: NodeJS.ProcessEnv) {
  const service = await startService({ ...variables, NODE_OPTIONS: `--import=${vitalsModule}` });
  let asked = 0;
  return {
    ...service,
    async vitals(): Promise<Vitals> {
      service.child.kill('SIGWINCH');
      const [, said = ''] = await service.waitFor(new RegExp(`^vitals ${++asked} (.*)\n`, 'm'));
      const { resources, ...memory } = JSON.parse(said) as { heapUsed: number; rss: number; resources: string[] };
      return { ...memory, resources: countEach(resources), descriptors: countEach(openFiles(service.child.pid)) };
    },
  };
}

/** Of what there is more than before, such as `3 Timeout`. */
export function moreThan(before: Vitals, now: Vitals): string[] {
  return [...more(before.resources, now.resources), ...more(before.descriptors, now.descriptors)];
}

/** How many there are in all. */
export function sumOf(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** @returns paths, and of what has none its kind, such as `socket` */
function openFiles(pid: number | undefined): string[] {
  const links = readdirSync(`/proc/${pid}/fd`).map((descriptor) => linkOf(`/proc/${pid}/fd/${descriptor}`));
  // The spool's lock, a socket that nobody connects to, is taken when it is first needed and kept.
  const [, lock] = /(\d+) \S*\/spool\/\S+\/lock$/m.exec(readFileSync(`/proc/${pid}/net/unix`, 'utf8')) ?? [];
  return links.filter((link) => link && link !== `socket:[${lock}]`).map((link) => link.replace(/:\[\d+\]$/, ''));
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    // It was closed meanwhile.
    return '';
  }
}

function more(before: Counts, now: Counts): string[] {
  return Object.entries(now)
    .map(([kind, count]) => ({ kind, grown: count - (before[kind] ?? 0) }))
    .filter(({ grown }) => grown > 0)
    .map(({ kind, grown }) => `${grown} ${kind}`);
}

function countEach(kinds: string[]): Counts {
  const counts: Counts = {};
  for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}
