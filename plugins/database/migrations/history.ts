import { createHash } from 'node:crypto';
import type { MigrationList } from '@prisma/schema-engine-wasm/schema_engine_bg';
import type pg from 'pg';

/** A migration that was tried on this database, as Prisma notes it in `_prisma_migrations`. */
export interface HistoryEntry {
  name: string;
  /** SHA-256 of the script, in hex. */
  checksum: string;
  /** Whether it ran to its end; what failed and was not marked as rolled back has not. */
  finished: boolean;
}

const undefinedTable = '42P01';

/** Reads what has been tried, without what was rolled back. Empty for a database that was never migrated. */
export async function readHistory(pool: pg.Pool): Promise<HistoryEntry[]> {
  try {
    const { rows } = await pool.query<HistoryEntry>(
      `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished
       FROM _prisma_migrations WHERE rolled_back_at IS NULL`,
    );
    return rows;
  } catch (error) {
    if ((error as pg.DatabaseError).code === undefinedTable) return [];
    throw error;
  }
}

/** Whether every migration has been applied and none has failed. */
export function isUpToDate({ migrationDirectories }: MigrationList, history: HistoryEntry[]): boolean {
  const applied = new Set(history.map(({ name }) => name));
  return history.every(({ finished }) => finished) && migrationDirectories.every(({ path }) => applied.has(path));
}

/** Names of the migrations whose file is no longer the one that was applied. */
export function editedOf({ migrationDirectories }: MigrationList, history: HistoryEntry[]): string[] {
  const checksums = new Map(history.map(({ name, checksum }) => [name, checksum]));
  return migrationDirectories
    .filter(({ path, migrationFile: { content } }) => {
      const applied = checksums.get(path);
      return applied !== undefined && content.tag === 'ok' && checksumOf(content.value) !== applied;
    })
    .map(({ path }) => path);
}

function checksumOf(script: string) {
  return createHash('sha256').update(script).digest('hex');
}
