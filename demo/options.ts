import { parseArgs } from 'node:util';
import { CommandError } from '../src/cli/command-line.js';

export const usage = `Usage: npm run demo [-- --minutes N]

Starts this service with the routes of a sample shop, on a temporary embedded database with a generated history of two days.
Sends varied traffic for a while, then removes everything. Open the printed address, and sign in with the printed admin key.

  --minutes N   the duration of the traffic (10)
  --help

PORT sets the port; without it, a free port is used.

Example: PORT=3000 npm run demo -- --minutes 3
`;

/**
 * Reads the command line.
 *
 * @param args without node and the script
 * @throws CommandError when the arguments are invalid
 */
export function parseOptions(args: readonly string[]): { minutes: number; help: boolean } {
  const { minutes, help } = parse(args);
  const number = Number(minutes);
  if (!(number > 0 && number <= 24 * 60)) throw new CommandError('--minutes must be a number above 0, up to 1440');
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
    throw new CommandError(`${(error as Error).message}; see npm run demo -- --help`);
  }
}
