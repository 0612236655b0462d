import { cpSync } from 'node:fs';
import { basename } from 'node:path';
import type { Test } from 'tap';
import { type Database, openDatabase } from '../../../plugins/database/open.js';
import { type Config, loadConfig } from '../../../src/config/index.js';
import { temporaryDirectory } from '../../temporary-directory.js';

/**
 * Opens a database like the versions before a migration: only the migrations with earlier names are applied.
 *
 * @returns the database, and the directory with its migrations
 */
export async function openEarlier(
  t: Test,
  options: Config['database'],
  migration: string,
): Promise<{ database: Database; prismaDir: string }> {
  const prismaDir = temporaryDirectory(t);
  cpSync(options.prismaDir, prismaDir, {
    recursive: true,
    filter: (path) => !/^\d{14}_/.test(basename(path)) || basename(path) < migration,
  });
  const database = openDatabase({ ...options, prismaDir });
  await database.start(() => {});
  await database.migrate(loadConfig({}).version);
  return { database, prismaDir };
}
