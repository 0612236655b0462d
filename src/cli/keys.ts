import { PrismaPg } from '@prisma/adapter-pg';
import { createApiKeyStore } from '../../plugins/api-keys/store.js';
import { openDatabase } from '../../plugins/database/open.js';
import { DirectoryLockedError } from '../../plugins/directory-lock.js';
import { PrismaClient } from '../../plugins/prisma/generated/client.js';
import type { Config } from '../config/index.js';
import { KeysCommandError, readCommand, type Work } from './key-commands.js';

/**
 * Runs one `keys` command and prints what came of it.
 *
 * @param args what follows `keys`
 * @throws KeysCommandError when `args` make no sense
 */
export async function runKeysCommand(args: string[], config: Config): Promise<void> {
  const work = readCommand(args);
  if (work) await withStore(config, work);
}

async function withStore(config: Config, work: Work) {
  const database = openDatabase(config.database);
  try {
    await database.start((error) => process.stderr.write(`waiting for the database: ${error.message}\n`));
    await database.migrate(config.version);
    const prisma = new PrismaClient({ adapter: new PrismaPg(database.pool, { schema: database.schema }) });
    await work(createApiKeyStore(prisma, config.apiKeys.prefix));
  } catch (error) {
    if (isRefusal(error)) throw new KeysCommandError(error.message);
    if ((error as Error).cause instanceof DirectoryLockedError) throw new KeysCommandError(askTheServer(config));
    throw error;
  } finally {
    await database.close();
  }
}

/** Whether the store says that this cannot be done, rather than that it failed. */
function isRefusal(error: unknown): error is Error {
  return Number((error as { statusCode?: unknown }).statusCode) < 500;
}

/** The embedded database belongs to one process, and that one has an API for all that is done here. */
function askTheServer({ database, port }: Config) {
  return `a running service has the embedded database in ${database.dataDir} open: ask it, as in "curl -H 'Authorization: Bearer ADMIN_KEY' http://127.0.0.1:${port}/v1/api-keys" (all it can do: /documentation), or stop it first`;
}
