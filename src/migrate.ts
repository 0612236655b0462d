import { MigrationBlockedError } from '../plugins/database/errors.js';
import { markRolledBack } from '../plugins/database/migrations/history.js';
import { buildPartitionIndexes } from '../plugins/database/migrations/partition-indexes.js';
import type { OwnTables } from '../plugins/database/migrations/sets.js';
import { type Database, openDatabase } from '../plugins/database/open.js';
import { reasonOf } from '../plugins/database/outage-log.js';
import { startWithin } from './cli/database.js';
import type { Config } from './config/index.js';

export interface MigrateOptions {
  tables?: OwnTables | undefined;
  /** A failed migration that is first marked as rolled back. */
  rolledBack?: string | undefined;
}

/**
 * Applies pending migrations, builds missing indexes, and prints the result.
 *
 * @throws CommandError when the database does not answer
 * @throws DatabaseStartError when a migration fails
 */
export async function migrate({ database: options, version }: Config, { tables, rolledBack }: MigrateOptions) {
  const database = openDatabase({ ...options, tables });
  try {
    await startWithin(database);
    if (rolledBack !== undefined) await markRolledBack(database.pool, database.schema, rolledBack);
    await applyAll(database, version);
  } finally {
    await database.close();
  }
}

async function applyAll(database: Database, version: string) {
  const { applied, edited, missing } = await database.migrate(version, (error) =>
    process.stderr.write(
      `${error instanceof MigrationBlockedError ? 'waiting' : 'waiting for the database'}: ${reasonOf(error)}. Ctrl-C stops\n`,
    ),
  );
  for (const name of edited) process.stderr.write(`${name} was edited after it had been applied\n`);
  for (const name of missing) process.stderr.write(`${name} was applied, and is not among the files of this version\n`);
  for (const name of applied) process.stdout.write(`${name} applied\n`);
  if (applied.length === 0) process.stdout.write('nothing to apply\n');
  const isComplete = await buildPartitionIndexes(database, ({ index }) =>
    process.stdout.write(`index ${index} built\n`),
  );
  if (!isComplete)
    process.stderr.write(
      'some indexes of request_logs are being built by another process; run this again to check that all are built\n',
    );
}
