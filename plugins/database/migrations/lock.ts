import type pg from 'pg';
import { unhurried } from '../pool.js';

// The number that Prisma's own `migrate deploy` locks.
const prismaMigrationLock = 72_707_369;

/**
 * Runs `work` while no other replica, and no `prisma migrate`, migrates this database.
 *
 * The lock belongs to a transaction, so it also holds through PgBouncer in transaction mode, and a process that dies
 * lets go of it.
 */
export async function withMigrationLock<T>(pool: pg.Pool, work: () => Promise<T>): Promise<T> {
  const holder = await pool.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SET LOCAL idle_in_transaction_session_timeout = 0');
    await holder.query({
      text: 'SELECT pg_advisory_xact_lock($1)',
      values: [prismaMigrationLock],
      ...unhurried,
    });
    return await work();
  } finally {
    await holder.query('ROLLBACK').catch(() => {});
    holder.release();
  }
}
