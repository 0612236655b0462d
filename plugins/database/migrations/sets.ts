import { DatabaseStartError } from '../errors.js';

/** The migrations of a Prisma schema, and where they are applied. */
export interface MigrationSet {
  /** The directory of schema.prisma and migrations/. */
  prismaDir: string;
  /** The PostgreSQL schema, usually `public`. */
  schema: string;
  /** Whether they are of a service that is built on musicez. */
  isOwn: boolean;
  /** The table with the history in that schema. Prisma's own commands know only `prismaHistory`. */
  history: string;
}

export const prismaHistory = '_prisma_migrations';
/** The history of a service's own migrations, when its tables are in the schema of musicez. */
export const serviceHistory = '_service_migrations';

/** Tables of a service that is built on musicez, with a Prisma schema and migrations of their own. */
export interface OwnTables {
  /** The directory of schema.prisma and migrations/. */
  prismaDir: string;
  /** The PostgreSQL schema, created if missing. Without it, the tables are in the schema of musicez. */
  schema?: string;
}

/** The migrations of musicez, and those of the service that is built on it, in the order in which they are applied. */
export type MigrationSets = readonly [musicez: MigrationSet, ...own: MigrationSet[]];

/**
 * @param schema the PostgreSQL schema of musicez
 * @throws DatabaseStartError when `tables` names that schema
 */
export function setsOf(
  { prismaDir, tables }: { prismaDir: string; tables?: OwnTables | undefined },
  schema: string,
): MigrationSets {
  const musicez = { prismaDir, schema, isOwn: false, history: prismaHistory };
  if (!tables) return [musicez];
  if (tables.schema === schema)
    throw new DatabaseStartError(
      `"tables": musicez uses the schema "${schema}"; name another one, or omit "schema" to share it`,
    );
  const own = { prismaDir: tables.prismaDir, isOwn: true };
  return [
    musicez,
    tables.schema === undefined
      ? { ...own, schema, history: serviceHistory }
      : { ...own, schema: tables.schema, history: prismaHistory },
  ];
}

/** Whose migrations they are, for messages. */
export function ownerOf({ isOwn, prismaDir }: MigrationSet): string {
  return isOwn ? prismaDir : 'musicez';
}
