import { PrismaPg } from '@prisma/adapter-pg';
import { openDatabase } from '../../plugins/database/open.js';
import { DirectoryLockedError } from '../../plugins/directory-lock.js';
import { PrismaClient } from '../../plugins/prisma/generated/client.js';
import type { Config } from '../config/index.js';
import { CommandError } from './command-line.js';

/**
 * Opens the database for one command, and closes it after.
 *
 * @param migrates whether the command is to find the database as this version has it; who only reads may be on a standby
 * @param path of the running service's API that does the same, for when the embedded database is open there
 * @throws CommandError when it is
 */
export async function withDatabase(
  config: Config,
  { migrates, path }: { migrates: boolean; path: string },
  work: (prisma: PrismaClient) => Promise<void>,
) {
  const database = openDatabase(config.database);
  try {
    await database.start((error) =>
      process.stderr.write(
        `waiting for the database: ${error.message}. DATABASE_URL says where it is; Ctrl-C gives up\n`,
      ),
    );
    if (migrates) await database.migrate(config.version);
    await work(new PrismaClient({ adapter: new PrismaPg(database.pool, { schema: database.schema }) }));
  } catch (error) {
    if ((error as Error).cause instanceof DirectoryLockedError) throw new CommandError(askTheServer(config, path));
    throw error;
  } finally {
    await database.close();
  }
}

/** The embedded database belongs to one process, and that one has an API for all that is done here. */
function askTheServer({ database, port }: Config, path: string) {
  return `a running service has the embedded database in ${database.dataDir} open: ask it, as in "curl -H 'Authorization: Bearer ADMIN_KEY' 'http://127.0.0.1:${port}${path}'" (all it can do: /documentation), or stop it first`;
}
