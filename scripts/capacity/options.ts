import { parseArgs } from 'node:util';
import { CommandError } from '../../src/cli/command-line.js';

/** The inputs of the plan, by option. Defaults are measured (docs/benchmarks.md, docs/scaling.md) unless the text says otherwise. */
const inputs = {
  'requests-per-second': { least: 0.01, about: 'at peak; required' },
  'average-requests-per-second': { least: 0.01, about: 'average over a day (half of the peak)' },
  'retention-days': { least: 1, initial: 30, whole: true, about: 'REQUEST_LOG_RETENTION_DAYS' },
  'stats-retention-days': { least: 1, initial: 400, whole: true, about: 'REQUEST_STATS_RETENTION_DAYS' },
  routes: { least: 1, initial: 20, whole: true, about: 'pairs of route and status with requests in a minute' },
  keys: { least: 0, initial: 100, whole: true, about: 'keys with requests in a minute' },
  'cpu-microseconds': {
    least: 1,
    initial: 51.7,
    about: 'of CPU for each request, including your routes; measured without any',
  },
  utilisation: { least: 0.05, most: 1, initial: 0.5, about: 'share of a processor to use at peak' },
  spare: { least: 0, initial: 1, whole: true, about: 'replicas that may be down at peak' },
  'rows-per-second': { least: 1, initial: 69_443, about: 'that one processor of PostgreSQL writes; measured' },
  standbys: { least: 0, initial: 1, whole: true, about: 'standby servers of the database' },
  'row-bytes': { least: 1, initial: 290, about: 'of a row and its indexes; measured' },
  'stats-row-bytes': { least: 1, initial: 380, about: 'of a row of the statistics by route; measured' },
  'key-stats-row-bytes': { least: 1, initial: 320, about: 'of a row of the statistics by key; measured' },
  headroom: { least: 1, initial: 1.5, about: 'disk for each byte of data: WAL, vacuum, growth' },
  'price-vcpu-month': {
    least: 0,
    initial: 30,
    about: "of a processor with its memory; an estimate, use your provider's price",
  },
  'price-gb-month': { least: 0, initial: 0.15, about: "of a gigabyte of disk; an estimate, use your provider's price" },
} as const satisfies Record<string, Input>;

/** Where the request log is, and which defaults differ there. */
const stores = {
  postgresql: {},
  clickhouse: {
    'rows-per-second': 74_805,
    'row-bytes': 21,
    'stats-row-bytes': 12,
    'key-stats-row-bytes': 12,
    headroom: 2,
  },
} as const satisfies Record<string, Partial<Record<keyof typeof inputs, number>>>;
export type Store = keyof typeof stores;

interface Input {
  least: number;
  most?: number;
  /** Without one, the option is required or follows from another. */
  initial?: number;
  whole?: boolean;
  about: string;
}

type Name = keyof typeof inputs;
export type CapacityInputs = Record<Name, number>;

const names = Object.keys(inputs) as Name[];
const most = 1e9;

export const usage = `Usage: npm run capacity -- --requests-per-second N [options]

Computes the replicas, connections, disk and cost for a rate of requests, with the formulas. docs/scaling.md explains the
figures and their limits.

${names.map((name) => `  --${name.padEnd(27)} ${describe(inputs[name])}`).join('\n')}
  --store clickhouse            the request log is in ClickHouse: rows-per-second, row-bytes, stats-row-bytes, key-stats-row-bytes
                                and headroom are by default ${Object.values(stores.clickhouse).join(', ')}
  --json                        the figures as JSON
  --help

Example: npm run capacity -- --requests-per-second 5000 --retention-days 30
`;

export interface CapacityOptions {
  inputs: CapacityInputs;
  store: Store;
  json: boolean;
}

/**
 * Reads the command line.
 *
 * @param args without node and the script
 * @returns undefined for --help
 * @throws CommandError when the arguments are invalid
 */
export function parseOptions(args: readonly string[]): CapacityOptions | undefined {
  const { help, json, store = 'postgresql', ...optionTexts } = parse(args);
  if (help) return undefined;
  if (optionTexts['requests-per-second'] === undefined) {
    throw new CommandError('--requests-per-second is required, for instance --requests-per-second 5000');
  }
  if (!isStore(store)) throw new CommandError(`--store must be postgresql or clickhouse, not "${store}"`);
  const defaults: Partial<CapacityInputs> = stores[store];
  const values = Object.fromEntries(
    names.map((name) => [name, numberOf(name, optionTexts[name], defaults[name])]),
  ) as CapacityInputs;
  const peak = values['requests-per-second'];
  if (optionTexts['average-requests-per-second'] === undefined) values['average-requests-per-second'] = peak / 2;
  if (values['average-requests-per-second'] > peak) {
    throw new CommandError('--average-requests-per-second is more than --requests-per-second');
  }
  return { inputs: values, store, json: json === true };
}

function parse(args: readonly string[]): Partial<Record<Name | 'store', string> & Record<'json' | 'help', boolean>> {
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' }] as const));
  try {
    const flags = {
      store: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    } as const;
    return parseArgs({ args: [...args], options: { ...options, ...flags } }).values as ReturnType<typeof parse>;
  } catch (error) {
    throw new CommandError(`${(error as Error).message.split('.', 1)[0]}: try "npm run capacity -- --help"`);
  }
}

function isStore(name: string): name is Store {
  return Object.hasOwn(stores, name);
}

/** @param initial the default; undefined: that of the input */
function numberOf(name: Name, text: string | undefined, initial: number | undefined): number {
  const { least, whole, ...input }: Input = inputs[name];
  if (text === undefined) return initial ?? input.initial ?? 0;
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  const highest = input.most ?? most;
  if (value >= least && value <= highest && (!whole || Number.isInteger(value))) return value;
  throw new CommandError(
    `--${name} must be a ${whole ? 'whole ' : ''}number from ${least} to ${highest}, not "${text}"`,
  );
}

function describe({ about, initial }: Input) {
  return initial === undefined ? about : `${about} (${initial})`;
}
