import type pg from 'pg';
import { DatabaseStartError } from '../errors.js';
import { MigrationAdapterFactory } from './adapter.js';
import { allTables, openSchemaEngine } from './engine.js';
import { readMigrations, readSchema } from './files.js';
import { editedOf, isUpToDate, readHistory } from './history.js';

/** What was done, and what of it deserves a line in the log. */
export interface MigrationReport {
  /** Names of the migrations that this call applied. */
  applied: string[];
  /** Names of applied migrations whose file is no longer the one that was applied. */
  edited: string[];
}

/**
 * Applies the migrations that the database does not have yet, as `prisma migrate deploy` does and into the same
 * `_prisma_migrations`. The caller holds the lock. Where there is nothing to do the engine, which takes 30 MB, stays out.
 *
 * @param schema the PostgreSQL schema, usually `public`
 * @param prismaDir the directory of schema.prisma and migrations/
 * @throws DatabaseStartError naming the migration that failed, now or at an earlier start
 */
export async function applyMigrations(pool: pg.Pool, schema: string, prismaDir: string): Promise<MigrationReport> {
  const migrationsList = await readMigrations(prismaDir);
  const history = await readHistory(pool);
  const edited = editedOf(migrationsList, history);
  if (isUpToDate(migrationsList, history)) return { applied: [], edited };

  const adapter = new MigrationAdapterFactory(pool, schema);
  const engine = await openSchemaEngine(adapter, await readSchema(prismaDir));
  try {
    const { appliedMigrationNames } = await engine.applyMigrations({ migrationsList, filters: allTables });
    return { applied: appliedMigrationNames, edited };
  } catch (error) {
    throw explained(error as Error & { code?: string }, adapter.scriptError);
  } finally {
    engine.free();
  }
}

/**
 * Records that a failed migration left nothing behind, so that it is tried again.
 *
 * @throws DatabaseStartError when no migration of that name has failed
 */
export async function markRolledBack(pool: pg.Pool, schema: string, prismaDir: string, name: string): Promise<void> {
  const engine = await openSchemaEngine(new MigrationAdapterFactory(pool, schema), await readSchema(prismaDir));
  try {
    await engine.markMigrationRolledBack({ migrationName: name });
  } catch (error) {
    throw new DatabaseStartError(firstLine((error as Error).message));
  } finally {
    engine.free();
  }
}

/** @see https://www.prisma.io/docs/orm/reference/error-reference#p3009 */
const earlierFailure = 'P3009';

function explained(error: Error & { code?: string }, scriptError: pg.DatabaseError | undefined) {
  if (error.code === earlierFailure) {
    const name = /`([^`]+)` migration/.exec(error.message)?.[1];
    return new DatabaseStartError(
      `migration ${name} failed at an earlier start: mend it, then run npm run prisma:migrate -- --rolled-back ${name}`,
    );
  }
  const name = /migration_name="([^"]+)"/.exec(error.message)?.[1];
  if (name && scriptError) return new DatabaseStartError(`migration ${name} failed: ${scriptError.message}`);
  return error;
}

function firstLine(message: string) {
  return message.split('\n', 1)[0] ?? message;
}
