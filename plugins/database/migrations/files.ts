import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseStartError } from '../errors.js';

/** One directory of `prisma/migrations`. */
export interface Migration {
  name: string;
  script: string;
}

/**
 * Reads `migrations/` as Prisma lays it out, oldest first.
 *
 * @param prismaDir the directory of schema.prisma and migrations/
 * @throws DatabaseStartError when a file cannot be read
 */
export async function readMigrations(prismaDir: string): Promise<Migration[]> {
  const directory = join(prismaDir, 'migrations');
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    const names = entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
    return await Promise.all(
      names.map(async (name) => ({ name, script: await readFile(join(directory, name, 'migration.sql'), 'utf8') })),
    );
  } catch (error) {
    throw new DatabaseStartError(`migrations cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
