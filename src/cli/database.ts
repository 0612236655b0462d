import { PrismaPg } from '@prisma/adapter-pg';
import { DeadlineError, withDeadline } from '../../plugins/database/deadline.js';
import { type Database, openDatabase } from '../../plugins/database/open.js';
import { reasonOf } from '../../plugins/database/outage-log.js';
import { DirectoryLockedError } from '../../plugins/directory-lock.js';
import { PrismaClient } from '../../plugins/prisma/generated/client.js';
import { commandNames } from '../command-names.js';
import type { Config } from '../config/index.js';
import { readPort } from '../port-file.js';
import { CommandError } from './command-line.js';

/** How long a command waits for the database, in milliseconds. */
const startDeadlineMs = 5_000;

/**
 * Opens the database for one command, and closes it afterwards. Requires a migrated database.
 *
 * @param path the API route that does the same, for the message when a running service uses the embedded database
 * @throws CommandError when the database does not answer, or a running service uses the embedded database
 */
export async function withDatabase(
  config: Config,
  { path }: { path: string },
  work: (prisma: PrismaClient, database: Database) => Promise<void>,
) {
  const database = openDatabase(config.database);
  try {
    await startWithin(database);
    await database.assertMigrated(commandNames.migrate);
    await work(new PrismaClient({ adapter: new PrismaPg(database.pool, { schema: database.schema }) }), database);
  } catch (error) {
    if ((error as Error).cause instanceof DirectoryLockedError) throw new CommandError(useApiInstead(config, path));
    throw error;
  } finally {
    await database.close();
  }
}

/**
 * Waits for the database for a short time, because a person waits for the command.
 *
 * @throws CommandError with the last reason when it does not answer
 */
export async function startWithin(database: Database): Promise<void> {
  let reason = 'no answer';
  try {
    const started = database.start((error) => {
      reason = reasonOf(error);
      process.stderr.write(`waiting for the database: ${reason}\n`);
    });
    started.catch(() => {});
    // The first start of the embedded database takes longer.
    await (database.isEmbedded ? started : withDeadline(started, startDeadlineMs));
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
    throw new CommandError(`DATABASE_URL: the database does not answer: ${reason}; start it, or correct the URL`);
  }
}

/** Only one process can use the embedded database. The service has an API for all commands. */
function useApiInstead({ database: { dataDir }, port }: Config, path: string) {
  const url = `http://127.0.0.1:${readPort(dataDir) ?? port}`;
  return `a running service uses the embedded database in ${dataDir}: use its API, as in "curl -H 'Authorization: Bearer ADMIN_KEY' '${url}${path}'" (documentation: ${url}/documentation), or stop it first`;
}
