import { parseArgs } from 'node:util';
import { BenchError } from './bench-error.js';

export const usage = `Usage: npm run bench [-- options]

Drives bare Fastify, some parts of this service on it, a straightforward version and this service with the same load
and compares them, on the PostgreSQL at DATABASE_URL (in databases of its own, dropped afterwards) or, where that is unset,
on the embedded database. Load comes from wrk where it is installed, else from autocannon.

  --seconds N    per measured round (2)
  --rounds N     measured rounds per server (9)
  --requests N   then drive this service on until it has answered N in all, to see its memory (0: do not)
  --rows N       instead fill a request log with N rows of 30 days and ask this service about them; the targets are for
                 20000000, which take 10 minutes and 10 GB; needs DATABASE_URL
  --json [FILE]  write the results as JSON, too; to standard output without FILE or with "-"
  --check        a missed target makes the exit code 1; needs wrk and DATABASE_URL, for which the targets are meant
  --help

Example: DATABASE_URL=postgresql://postgres@127.0.0.1:5432/postgres npm run bench -- --seconds 2 --rounds 1
`;

export interface BenchOptions {
  /** Length of a measured round. */
  seconds: number;
  /** Measured rounds per server. */
  rounds: number;
  /** How many requests this service is to answer in all; 0 for what the rounds make. */
  requests: number;
  /** How many rows to fill a log with, rather than to compare servers; 0: none. */
  rows: number;
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
 * @throws BenchError when it is wrong
 */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parse(args);
  return {
    seconds: count('seconds', values.seconds, 1, 600),
    rounds: count('rounds', values.rounds, 1, 100),
    requests: count('requests', values.requests, 0, 1e9),
    rows: count('rows', values.rows, 0, 1e9),
    json: values.json,
    check: values.check,
    help: values.help,
  };
}

function parse(args: readonly string[]) {
  // parseArgs knows no option whose value may be left out.
  const complete = args.flatMap((arg, i) => (arg === '--json' && isOption(args[i + 1] ?? '--') ? [arg, '-'] : [arg]));
  try {
    return parseArgs({
      args: complete,
      options: {
        // Many and short: where a machine's speed changes by the second, the median of few is chance.
        seconds: { type: 'string', default: '2' },
        rounds: { type: 'string', default: '9' },
        requests: { type: 'string', default: '0' },
        rows: { type: 'string', default: '0' },
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

function count(name: string, text: string, least: number, most: number) {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new BenchError(`--${name} takes a whole number from ${least} to ${most}; not "${text}"`);
}
