import { type ParseArgsConfig, parseArgs } from 'node:util';

/** A command cannot be executed. The message says why, and what to do. */
export class CommandError extends Error {
  override name = 'CommandError';
}

/**
 * @param command the command whose help lists the options
 * @throws CommandError for an unknown option, or one without its value
 */
export function parseCommandLine<T extends ParseArgsConfig>(
  command: string,
  config: T,
): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new CommandError(`${(error as Error).message.split('.', 1)[0]}: try "${command} --help"`);
  }
}
