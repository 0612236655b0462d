import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { BenchError } from './bench-error.js';

export const usage = `Usage: npm run bench [-- options]

Puts the same load on bare Fastify, bare Fastify with parts of this service, a straightforward implementation and this
service, and compares them. Uses temporary databases on the PostgreSQL server at DATABASE_URL; without it, the embedded
database. The load comes from wrk if it is installed, otherwise from autocannon.

  --seconds N    seconds per measured round (2)
  --rounds N     measured rounds per server (9)
  --requests N   afterwards, continue the load on this service until it has answered N requests in total, to measure its
                 memory (0: off)
  --against DIR  also measure the version in DIR: a checkout, built by npm ci and npm run build
  --rows N       in place of the comparison, fill a request log with N rows over 30 days and measure queries; the targets
                 are for 20000000 rows, which take 10 minutes and 10 GB; requires DATABASE_URL
  --store clickhouse
                 with --rows: then copy the same rows to ClickHouse, as a library, and measure the same queries; the
                 library is installed by npm install --no-save --prefix scripts/clickhouse/engine
  --copies N     with --store clickhouse: then add N copies of each row to ClickHouse, with other ids, and measure the
                 queries again: 24 for 100000000 rows with --rows 4000000
  --keys N       in place of the comparison, fill a database with N keys and measure lists, usage and imports. The targets
                 are for 1000000; requires DATABASE_URL
  --json [FILE]  also write the results as JSON, to FILE; without FILE or with "-", to standard output
  --check        exit with code 1 when a target is missed; the comparison then requires wrk and DATABASE_URL
  --help

Example: DATABASE_URL=postgresql://postgres@127.0.0.1:5432/postgres npm run bench -- --seconds 2 --rounds 1
`;

export interface BenchOptions {
  /** Length of a measured round. */
  seconds: number;
  /** Measured rounds per server. */
  rounds: number;
  /** The total number of requests that this service answers; 0: only those of the rounds. */
  requests: number;
  /** How many rows to fill a log with, in place of the comparison; 0: compare servers. */
  rows: number;
  /** Where else to measure the log of `rows`. */
  store: 'postgresql' | 'clickhouse';
  /** How many copies of each row to add to ClickHouse. */
  copies: number;
  /** How many keys to fill a database with, in place of the comparison; 0: none. */
  keys: number;
  /** The directory of another version to compare. */
  against: string | undefined;
  /** The file for the JSON, `-` for standard output. */
  json: string | undefined;
  /** Whether a missed target is a failure. */
  check: boolean;
  help: boolean;
}

/**
 * Reads the command line.
 *
 * @param args without node and the script
 * @throws BenchError when the arguments are invalid
 */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parse(args);
  return {
    seconds: count('seconds', values.seconds, 1, 600),
    rounds: count('rounds', values.rounds, 1, 100),
    requests: count('requests', values.requests, 0, 1e9),
    rows: count('rows', values.rows, 0, 1e9),
    store: storeOf(values.store, values.rows),
    copies: copiesOf(count('copies', values.copies, 0, 1_000), values.store),
    keys: count('keys', values.keys, 0, 1e8),
    against: againstOf(values),
    json: values.json,
    check: values.check,
    help: values.help,
  };
}

function parse(args: readonly string[]) {
  // parseArgs does not support options with an optional value.
  const complete = args.flatMap((arg, i) => (arg === '--json' && isOption(args[i + 1] ?? '--') ? [arg, '-'] : [arg]));
  try {
    return parseArgs({
      args: complete,
      options: {
        // Many short rounds: a machine's speed changes by the second, so the median of a few rounds would be random.
        seconds: { type: 'string', default: '2' },
        rounds: { type: 'string', default: '9' },
        requests: { type: 'string', default: '0' },
        rows: { type: 'string', default: '0' },
        store: { type: 'string', default: 'postgresql' },
        copies: { type: 'string', default: '0' },
        keys: { type: 'string', default: '0' },
        against: { type: 'string' },
        json: { type: 'string' },
        check: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new BenchError(`${(error as Error).message.split('.', 1)[0]}: try "npm run bench -- --help"`);
  }
}

function isOption(arg: string) {
  return arg.startsWith('-') && arg !== '-';
}

function storeOf(store: string, rows: string): BenchOptions['store'] {
  if (store !== 'postgresql' && store !== 'clickhouse')
    throw new BenchError(`--store must be postgresql or clickhouse; not "${store}"`);
  if (store === 'clickhouse' && rows === '0') throw new BenchError('--store clickhouse requires --rows');
  return store;
}

function againstOf({ against, rows, keys }: ReturnType<typeof parse>['values']) {
  if (against === undefined) return undefined;
  if (rows !== '0' || keys !== '0') throw new BenchError('--against compares servers: omit --rows and --keys');
  const script = resolve(against, 'dist/src/server.js');
  if (!existsSync(script)) throw new BenchError(`--against: ${script} is missing; run npm ci and npm run build there`);
  return against;
}

function copiesOf(copies: number, store: string): number {
  if (copies > 0 && store !== 'clickhouse') throw new BenchError('--copies requires --store clickhouse');
  return copies;
}

function count(name: string, text: string, least: number, most: number) {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new BenchError(`--${name} must be a whole number from ${least} to ${most}; not "${text}"`);
}
