import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { type OnFailure, retryWhileUnavailable } from '../connect.js';
import { DatabaseStartError } from '../errors.js';
import { applyMigrations, type MigrationReport, migrationLock, pendingMigrations } from './apply.js';
import { type MigrationSets, ownerOf } from './sets.js';

/** The migration methods of a `Database`. */
export interface MigrationMethods {
  /**
   * Applies pending migrations, those of `tables` last, and records the version in `system_health`. Of several replicas, one does it.
   *
   * @param version the service's version
   * @param onFailure called before each retry, when the database is not available or another process holds a lock
   */
  migrate(version: string, onFailure?: OnFailure): Promise<MigrationReport>;
  /**
   * Checks that no migration is pending. Changes nothing.
   *
   * @param command the command that migrates, for the message
   * @param onFailure called before each retry, when the database is not available
   * @throws DatabaseStartError when migrations are pending
   */
  assertMigrated(command: string, onFailure?: OnFailure): Promise<void>;
  /** Names of the migrations of musicez that are pending, oldest first. Changes nothing. */
  pendingMigrations(): Promise<string[]>;
}

/** Creates these methods for a pool. @param signal ends waiting for the database */
export function migrationsOf(pool: pg.Pool, sets: MigrationSets, signal: AbortSignal): MigrationMethods {
  const [musicez] = sets;
  const { schema } = musicez;
  return {
    pendingMigrations: () => pendingMigrations(pool, musicez),
    migrate(version, onFailure = () => {}) {
      const applied: string[] = [];
      return retryWhileUnavailable(
        async () => {
          const reports: MigrationReport[] = [];
          for (const set of sets) reports.push(await applyMigrations(pool, set, applied));
          await recordVersion(pool, `${pg.escapeIdentifier(schema)}.system_health`, version);
          return {
            applied,
            edited: reports.flatMap(({ edited }) => edited),
            missing: reports.flatMap(({ missing }) => missing),
          };
        },
        onFailure,
        signal,
      );
    },
    async assertMigrated(command, onFailure = () => {}) {
      for (const set of sets) {
        const pending = () => pendingMigrations(pool, set);
        const [first, ...more] = await retryWhileUnavailable(pending, onFailure, signal);
        if (first === undefined) continue;
        const others = more.length > 0 ? ` and ${more.length} more` : '';
        throw new DatabaseStartError(
          set.isOwn
            ? `the database lacks the migration ${first}${others} of ${ownerOf(set)}: call migrate() of the service; in one that "init" wrote: npm run migrate`
            : `the database lacks the migration ${first}${others}: start the service on it, or run ${command}`,
        );
      }
    },
  };
}

/** Reads before it writes, so that a service can start on a read-only database. */
async function recordVersion(pool: pg.Pool, table: string, version: string) {
  const { rows } = await pool.query(`SELECT FROM ${table} WHERE version = $1`, [version]);
  if (rows.length > 0) return;
  const client = await pool.connect();
  try {
    // Under the lock of migrations, so that only one replica inserts the row.
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [migrationLock]);
    await client.query(
      `INSERT INTO ${table} (id, version, "checkedAt")
       SELECT $1, $2, now() AT TIME ZONE 'UTC' WHERE NOT EXISTS (SELECT FROM ${table} WHERE version = $2)`,
      [randomUUID(), version],
    );
    await client.query('COMMIT');
    client.release();
  } catch (error) {
    client.release(true);
    throw error;
  }
}
