import type pg from 'pg';
import { DatabaseStartError } from '../errors.js';
import type { Migration } from './files.js';
import { type HistoryEntry, missingOf } from './history.js';
import { type MigrationSet, ownerOf } from './sets.js';

export const insufficientPrivilege = '42501';

/** Refuses a schema that has tables but no history, as Prisma does (P3005). */
export async function assertNoForeignTables(client: pg.ClientBase, { schema, isOwn }: MigrationSet) {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE nspname = $1 AND relkind IN ('r', 'p')
       AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
     ORDER BY 1 LIMIT 3`,
    [schema],
  );
  if (rows.length === 0) return;
  const names = rows.map(({ name }) => `"${name}"`).join(', ');
  throw new DatabaseStartError(
    isOwn
      ? `schema "${schema}" has tables (${names}) and no history of migrations; name another schema in "tables", or record the migrations that created them with "npx prisma migrate resolve --applied NAME"`
      : `DATABASE_URL: schema "${schema}" has tables of another application (${names}); use an empty database, or a separate schema with ?schema=musicez`,
  );
}

/** Refuses a history that has none of these migrations: another application uses the schema. */
export function assertKnownHistory(
  { schema, history }: MigrationSet,
  migrations: Migration[],
  entries: HistoryEntry[],
) {
  if (entries.length === 0 || missingOf(migrations, entries).length < entries.length) return;
  throw new DatabaseStartError(
    `DATABASE_URL: schema "${schema}" has the migrations of another application in ${history} (such as ${entries[0]?.name}), and none of musicez; use a separate schema with ?schema=musicez, or, if these replace them, record them with "npx prisma migrate resolve --applied NAME"`,
  );
}

/** Runs `work`. When the role lacks a privilege, throws an error that says what failed and what to grant. */
export async function withPermissionHint(what: string, work: () => Promise<unknown>) {
  try {
    await work();
  } catch (error) {
    const { code, message } = error as pg.DatabaseError;
    throw code === insufficientPrivilege ? permissionError(`${what}: ${message}`) : error;
  }
}

export function permissionError(message: string) {
  return new DatabaseStartError(
    `DATABASE_URL: ${message}: the role may not change this schema; grant CREATE on the database and the schema, use the role that owns the tables, or set MIGRATE_ON_START=false and run "migrate" with that role`,
  );
}

export function failedEarlier(set: MigrationSet, name: string) {
  const commands = set.isOwn
    ? `"npx prisma migrate resolve --rolled-back ${name}"`
    : `"npm run prisma:migrate -- --rolled-back ${name}", in the image "node dist/src/cli.js migrate --rolled-back ${name}"`;
  return new DatabaseStartError(
    `migration ${name} of ${ownerOf(set)} failed at an earlier start: correct the error in column "logs" of its row in ${set.history}, then run ${commands}`,
  );
}
