import { createApiKeyStore } from '../../plugins/api-keys/store.js';
import type { Config } from '../config/index.js';
import { CommandError } from './command-line.js';
import { withDatabase } from './database.js';
import { readCommand } from './key-commands.js';

/**
 * Runs one `keys` command and prints what came of it.
 *
 * @param args what follows `keys`
 * @throws CommandError when `args` make no sense, or it cannot be done
 */
export async function runKeysCommand(args: string[], config: Config): Promise<void> {
  const work = readCommand(args);
  if (!work) return;
  await withDatabase(config, { migrates: true, path: '/v1/api-keys' }, async (prisma) => {
    try {
      await work(createApiKeyStore(prisma, config.apiKeys.prefix));
    } catch (error) {
      throw isRefusal(error) ? new CommandError(`${error.message}${hintOn(error)}`) : error;
    }
  });
}

/** What to do next, where the message does not say. */
function hintOn(error: Error): string {
  return (error as { statusCode?: unknown }).statusCode === 404 ? ': "keys list" shows those that there are' : '';
}

/** Whether the store says that this cannot be done, rather than that it failed. */
function isRefusal(error: unknown): error is Error {
  return Number((error as { statusCode?: unknown }).statusCode) < 500;
}
