import { type ParseArgsConfig, parseArgs } from 'node:util';

/** What was asked for cannot be done; the message says why, and what to do instead. */
export class CommandError extends Error {
  override name = 'CommandError';
}

/**
 * @param command whose help lists the options
 * @throws CommandError for an option that there is not, or one without its value
 */
export function parseCommandLine<T extends ParseArgsConfig>(command: string, config: T) {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new CommandError(`${(error as Error).message.split('.', 1)[0]}: try "${command} --help"`);
  }
}
