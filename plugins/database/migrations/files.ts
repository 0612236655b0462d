import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One directory of `prisma/migrations`. */
export interface Migration {
  name: string;
  script: string;
}

/**
 * Reads `migrations/` as Prisma lays it out, oldest first.
 *
 * @param prismaDir the directory of schema.prisma and migrations/
 */
export async function readMigrations(prismaDir: string): Promise<Migration[]> {
  const directory = join(prismaDir, 'migrations');
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return Promise.all(
    names.map(async (name) => ({ name, script: await readFile(join(directory, name, 'migration.sql'), 'utf8') })),
  );
}
