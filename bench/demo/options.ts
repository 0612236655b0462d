import { parseArgs } from 'node:util';
import { BenchError } from '../bench-error.js';

export const usage = `Usage: npm run demo [-- --minutes N]

A service to look at: this one with the routes of a shop in it, on an embedded database of its own, with a day of made-up
past. It gets varied traffic for a while, then all of it is removed. Open the address that it prints, and sign in with the
admin key beside it.

  --minutes N   how long (10)
  --help

PORT is the port to listen at; without it one that is free.

Example: PORT=3000 npm run demo -- --minutes 3
`;

/**
 * Reads the command line.
 *
 * @param args without node and the script
 * @throws BenchError when it is wrong
 */
export function readOptions(args: readonly string[]): { minutes: number; help: boolean } {
  const { minutes, help } = parse(args);
  const number = Number(minutes);
  if (!(number > 0 && number <= 24 * 60)) throw new BenchError('--minutes takes a number up to 1440');
  return { minutes: number, help };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        minutes: { type: 'string', default: '10' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw new BenchError(`${(error as Error).message}; see npm run demo -- --help`);
  }
}
