import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { readMigrations } from '../../plugins/database/migrations/files.js';
import { allTables, migrationListOf, openSchemaEngine } from './engine.js';

/**
 * Creates the SQL that leads from the migrations to schema.prisma, as `prisma migrate dev` would write it. The migrations run
 * on a database in memory; no other database is needed or changed.
 *
 * @returns null when the migrations already match the schema
 */
export async function nextMigration(prismaDir: string): Promise<string | null> {
  const schema = await readFile(join(prismaDir, 'schema.prisma'), 'utf8');
  const engine = await openSchemaEngine(inMemory(), schema);
  const migrations = migrationListOf(await readMigrations(prismaDir));
  const files = [{ path: 'schema.prisma', content: schema }];
  const { exitCode, stdout } = await engine.diff({
    from: { tag: 'migrations', ...migrations },
    to: { tag: 'schemaDatamodel', files },
    script: true,
    exitCode: true,
    filters: allTables,
  });
  engine.free();
  return exitCode === 0 ? null : stdout;
}

/** A database in memory, also used as the shadow database: the engine compares without querying the main one. */
function inMemory() {
  const database = new PGlite();
  const factory = new PrismaPGlite(database);
  const connectToShadowDb = async (): Promise<SqlDriverAdapter> => {
    const adapter = await factory.connect();
    // The adapter's own method does not wait for the script, so an error in it would end the process.
    adapter.executeScript = async (script) => void (await database.exec(script));
    return adapter;
  };
  return Object.assign(factory, { connectToShadowDb });
}
