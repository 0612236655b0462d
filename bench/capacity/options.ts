import { parseArgs } from 'node:util';
import { BenchError } from '../bench-error.js';

/** What the plan is made from, by option. Defaults are measured (docs/benchmarks.md, docs/scaling.md) or say that they are not. */
const inputs = {
  'requests-per-second': { least: 0.01, about: 'at the busiest time; required' },
  'average-requests-per-second': { least: 0.01, about: 'over a whole day (half of the busiest)' },
  'retention-days': { least: 1, initial: 30, whole: true, about: 'REQUEST_LOG_RETENTION_DAYS' },
  'stats-retention-days': { least: 1, initial: 400, whole: true, about: 'REQUEST_STATS_RETENTION_DAYS' },
  routes: { least: 1, initial: 20, whole: true, about: 'pairs of route and status that a minute has' },
  keys: { least: 0, initial: 100, whole: true, about: 'keys that a minute has' },
  'cpu-microseconds': {
    least: 1,
    initial: 51.7,
    about: 'of CPU a request, your routes included; measured without any',
  },
  utilisation: { least: 0.05, most: 1, initial: 0.5, about: 'share of a processor to be used at the busiest time' },
  spare: { least: 0, initial: 1, whole: true, about: 'replicas that may be missing then' },
  'rows-per-second': { least: 1, initial: 69_443, about: 'that a processor of PostgreSQL writes; measured' },
  standbys: { least: 0, initial: 1, whole: true, about: 'copies of the database' },
  'row-bytes': { least: 1, initial: 290, about: 'of a row and its indexes; measured' },
  'stats-row-bytes': { least: 1, initial: 380, about: 'of a row of the statistics by route; measured' },
  'key-stats-row-bytes': { least: 1, initial: 320, about: 'of a row of the statistics by key; measured' },
  headroom: { least: 1, initial: 1.5, about: 'disk for each byte of data: WAL, vacuum, growth' },
  'price-vcpu-month': { least: 0, initial: 30, about: "of a processor with its memory; a guess, take your provider's" },
  'price-gb-month': { least: 0, initial: 0.15, about: "of a gigabyte of disk; a guess, take your provider's" },
} as const satisfies Record<string, Input>;

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

What traffic takes in replicas, connections, disk and money, with the formulae. docs/scaling.md says where the figures come
from and where they end.

${names.map((name) => `  --${name.padEnd(27)} ${describe(inputs[name])}`).join('\n')}
  --json                        the figures as JSON
  --help

Example: npm run capacity -- --requests-per-second 5000 --retention-days 30
`;

export interface CapacityOptions {
  inputs: CapacityInputs;
  json: boolean;
}

/**
 * Reads the command line.
 *
 * @param args without node and the script
 * @returns undefined when help is asked for
 * @throws BenchError when it is wrong
 */
export function readOptions(args: readonly string[]): CapacityOptions | undefined {
  const { help, json, ...given } = parse(args);
  if (help) return undefined;
  if (given['requests-per-second'] === undefined) {
    throw new BenchError('--requests-per-second is required, for instance --requests-per-second 5000');
  }
  const values = Object.fromEntries(names.map((name) => [name, numberOf(name, given[name])])) as CapacityInputs;
  const busiest = values['requests-per-second'];
  if (given['average-requests-per-second'] === undefined) values['average-requests-per-second'] = busiest / 2;
  if (values['average-requests-per-second'] > busiest) {
    throw new BenchError('--average-requests-per-second is more than --requests-per-second');
  }
  return { inputs: values, json: json === true };
}

function parse(args: readonly string[]): Partial<Record<Name, string> & Record<'json' | 'help', boolean>> {
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' }] as const));
  try {
    const flags = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;
    return parseArgs({ args: [...args], options: { ...options, ...flags } }).values as ReturnType<typeof parse>;
  } catch (error) {
    throw new BenchError(`${(error as Error).message.split('.', 1)[0]}: try "npm run capacity -- --help"`);
  }
}

function numberOf(name: Name, text: string | undefined): number {
  const { least, whole, initial = 0, ...input }: Input = inputs[name];
  if (text === undefined) return initial;
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  const highest = input.most ?? most;
  if (value >= least && value <= highest && (!whole || Number.isInteger(value))) return value;
  throw new BenchError(`--${name} takes a ${whole ? 'whole ' : ''}number from ${least} to ${highest}, not "${text}"`);
}

function describe({ about, initial }: Input) {
  return initial === undefined ? about : `${about} (${initial})`;
}
