import { createApiKeyStore } from '../../plugins/api-keys/store.js';
import { PostgresReader } from '../../plugins/request-log/stores/postgres/index.js';
import type { Config } from '../config/index.js';
import { CommandError } from './command-line.js';
import { withDatabase } from './database.js';
import { parseKeysCommand } from './key-commands.js';

/**
 * Runs one `keys` command and prints the result.
 *
 * @param args the arguments after `keys`
 * @throws CommandError when `args` are invalid, or the store rejects the command
 */
export async function runKeysCommand(args: string[], config: Config): Promise<void> {
  const work = parseKeysCommand(args, config.apiKeys.prefix);
  if (!work) return;
  await withDatabase(config, { path: '/v1/api-keys' }, async (prisma, database) => {
    try {
      await work(createApiKeyStore(prisma, database, config.apiKeys.prefix), new PostgresReader(prisma, database));
    } catch (error) {
      throw isRejection(error) ? new CommandError(`${error.message}${hintOn(error)}`) : error;
    }
  });
}

/** A hint to add to the message of an error. */
function hintOn(error: Error): string {
  return (error as { statusCode?: unknown }).statusCode === 404 ? ': "keys list" shows all keys' : '';
}

/** Whether the store rejected the command, in contrast to a failure. */
function isRejection(error: unknown): error is Error {
  return Number((error as { statusCode?: unknown }).statusCode) < 500;
}
