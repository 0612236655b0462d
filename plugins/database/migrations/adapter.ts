import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlMigrationAwareDriverAdapterFactory, SqlQuery } from '@prisma/driver-adapter-utils';
import type pg from 'pg';
import { unhurried } from '../pool.js';

type MigrationAdapter = Awaited<ReturnType<PrismaPg['connect']>>;

/**
 * Prisma's adapter for pg, with two differences that migrations need:
 * - a script goes to the server whole. The original cuts it at every semicolon, which breaks functions and comments
 *   and leaves half a migration behind when a statement fails; whole, PostgreSQL runs it as one transaction.
 * - the engine's advisory lock is left out. It is a session's lock and would stay on a pooled connection for as long as
 *   that lives, with every other replica waiting; `withMigrationLock` holds the same lock in a transaction.
 */
export class MigrationAdapterFactory implements SqlMigrationAwareDriverAdapterFactory {
  readonly provider = 'postgres';
  readonly adapterName = '@prisma/adapter-pg';
  /** What PostgreSQL said when a script failed: the engine reports some errors in words of its own. */
  scriptError: pg.DatabaseError | undefined;
  private readonly pool: pg.Pool;
  private readonly adapter: PrismaPg;

  constructor(pool: pg.Pool, schema: string) {
    this.pool = pool;
    this.adapter = new PrismaPg(pool, { schema });
  }

  async connect() {
    return this.adapt(await this.adapter.connect());
  }

  async connectToShadowDb() {
    return this.adapt(await this.adapter.connectToShadowDb());
  }

  private adapt(connection: MigrationAdapter) {
    const { queryRaw, executeRaw } = connection;
    connection.queryRaw = (query) => queryRaw.call(connection, withoutLock(query));
    connection.executeRaw = (query) => executeRaw.call(connection, withoutLock(query));
    connection.executeScript = async (script) => {
      try {
        await this.pool.query({ text: script, ...unhurried });
      } catch (error) {
        this.scriptError = error as pg.DatabaseError;
        throw error;
      }
    };
    return connection;
  }
}

function withoutLock(query: SqlQuery): SqlQuery {
  return query.sql.includes('pg_advisory_lock(') ? { ...query, sql: 'SELECT 1' } : query;
}
