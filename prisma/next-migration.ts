import { PGlite } from '@electric-sql/pglite';
import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { allTables, openSchemaEngine } from '../plugins/database/migrations/engine.js';
import { readMigrations, readSchema } from '../plugins/database/migrations/files.js';

/**
 * The SQL that leads from the migrations to schema.prisma, as `prisma migrate dev` would write it. The migrations run on
 * a database in memory, so none is needed and none is touched.
 *
 * @returns null when the migrations already make what the schema says
 */
export async function nextMigration(prismaDir: string): Promise<string | null> {
  const schema = await readSchema(prismaDir);
  const engine = await openSchemaEngine(inMemory(), schema);
  const migrations = await readMigrations(prismaDir);
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

/** One database serves as the one to compare with, which a difference never asks, and as the one to migrate. */
function inMemory() {
  const database = new PGlite();
  const factory = new PrismaPGlite(database);
  const connectToShadowDb = async (): Promise<SqlDriverAdapter> => {
    const adapter = await factory.connect();
    // The adapter's own does not wait for the script, so that an error in it would end the process.
    adapter.executeScript = async (script) => void (await database.exec(script));
    return adapter;
  };
  return Object.assign(factory, { connectToShadowDb });
}
