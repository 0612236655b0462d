import { createHash, randomUUID } from 'node:crypto';
import pg from 'pg';
import { DatabaseStartError } from '../errors.js';
import type { Migration } from './files.js';
import { prismaHistory } from './sets.js';

/** One row of `_prisma_migrations` that was not rolled back. */
export interface HistoryEntry {
  id: string;
  name: string;
  /** SHA-256 of the script, in hex. */
  checksum: string;
  /** `failed`: with an error. `interrupted`: neither finished nor failed, as when its process was killed. */
  state: 'finished' | 'failed' | 'interrupted';
}

/** The table as Prisma creates it. */
const createTable = (table: string) => `CREATE TABLE IF NOT EXISTS ${table} (
  "id" VARCHAR(36) PRIMARY KEY NOT NULL,
  "checksum" VARCHAR(64) NOT NULL,
  "finished_at" TIMESTAMPTZ,
  "migration_name" VARCHAR(255) NOT NULL,
  "logs" TEXT,
  "rolled_back_at" TIMESTAMPTZ,
  "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(),
  "applied_steps_count" INTEGER NOT NULL DEFAULT 0
)`;

/** The history of migrations in the database, in the format of Prisma's own commands. */
export class MigrationHistory {
  /** The table, quoted and with its schema. */
  readonly table: string;

  constructor(schema: string, name: string) {
    this.table = `${pg.escapeIdentifier(schema)}.${name}`;
  }

  /** @returns undefined for a database that was never migrated */
  async read(database: Pick<pg.ClientBase, 'query'>): Promise<HistoryEntry[] | undefined> {
    const { rows: tables } = await database.query('SELECT to_regclass($1) AS table', [this.table]);
    if (tables[0]?.table === null) return undefined;
    const { rows } = await database.query<HistoryEntry>(
      `SELECT id, migration_name AS name, checksum,
         CASE WHEN finished_at IS NOT NULL THEN 'finished' WHEN coalesce(logs, '') <> '' THEN 'failed' ELSE 'interrupted' END AS state
       FROM ${this.table} WHERE rolled_back_at IS NULL ORDER BY started_at`,
    );
    return rows;
  }

  async create(client: pg.ClientBase): Promise<void> {
    await client.query(createTable(this.table));
  }

  /** Records a migration in the transaction that applies it. */
  async add(client: pg.ClientBase, { name, script }: Migration): Promise<void> {
    await client.query(
      `INSERT INTO ${this.table} (id, checksum, finished_at, migration_name, applied_steps_count)
       VALUES ($1, $2, clock_timestamp(), $3, 1)`,
      [randomUUID(), checksumOf(script), name],
    );
  }

  /** Marks an unfinished run as rolled back. @returns whether there was one */
  async markRolledBack(client: Pick<pg.ClientBase, 'query'>, name: string): Promise<boolean> {
    const { rowCount } = await client.query(
      `UPDATE ${this.table} SET rolled_back_at = now()
       WHERE migration_name = $1 AND finished_at IS NULL AND rolled_back_at IS NULL`,
      [name],
    );
    return rowCount !== null && rowCount > 0;
  }
}

/** The migrations that have no finished run, oldest first. */
export function pendingOf(migrations: Migration[], history: HistoryEntry[]): Migration[] {
  const applied = new Set(history.filter(({ state }) => state === 'finished').map(({ name }) => name));
  return migrations.filter(({ name }) => !applied.has(name));
}

/** Names of recorded migrations whose file has changed since. */
export function editedOf(migrations: Migration[], history: HistoryEntry[]): string[] {
  const checksums = new Map(history.map(({ name, checksum }) => [name, checksum]));
  return migrations
    .filter(({ name, script }) => checksums.has(name) && checksums.get(name) !== checksumOf(script))
    .map(({ name }) => name);
}

/** Names of recorded migrations that have no file: a newer version applied them, or the file was removed. */
export function missingOf(migrations: Migration[], history: HistoryEntry[]): string[] {
  const known = new Set(migrations.map(({ name }) => name));
  return history.map(({ name }) => name).filter((name) => !known.has(name));
}

function checksumOf(script: string) {
  return createHash('sha256').update(script).digest('hex');
}

/**
 * Marks a failed or interrupted migration as rolled back, so that the next run applies it again.
 *
 * @throws DatabaseStartError when no migration of that name has a failed or interrupted run
 */
export async function markRolledBack(pool: pg.Pool, schema: string, name: string): Promise<void> {
  const history = new MigrationHistory(schema, prismaHistory);
  const entries = await history.read(pool);
  if (entries === undefined || !(await history.markRolledBack(pool, name)))
    throw new DatabaseStartError(
      `the migration "${name}" has no failed or interrupted run on this database; check the name`,
    );
}
