import type { FastifyInstance } from 'fastify';
import { commandNames } from '../../src/command-names.js';
import { Environment } from '../../src/config/index.js';

/** What users depend on beside exports and routes. */
export interface Surface {
  commands: string[];
  variables: string[];
  /** The columns of each table with their types. */
  tables: Record<string, Record<string, string>>;
  /** The type of each metric. */
  metrics: Record<string, string>;
}

/** @param app a service that is ready, on PostgreSQL or the embedded database */
export async function surfaceOf(app: FastifyInstance): Promise<Surface> {
  return {
    commands: Object.keys(commandNames),
    variables: Object.keys(Environment.properties),
    tables: await tablesOf(app),
    metrics: Object.fromEntries(
      (await app.metrics.getMetricsAsJSON())
        .filter(({ name }) => name.startsWith('musicez_'))
        .map(({ name, type }) => [name, String(type)]),
    ),
  };
}

async function tablesOf({ database: { pool, schema } }: FastifyInstance) {
  const { rows } = await pool.query<{ table: string; columns: Record<string, string> }>(
    `SELECT table_name AS table, json_object_agg(column_name, data_type || CASE is_nullable WHEN 'YES' THEN ' or null' ELSE '' END
       ORDER BY column_name) AS columns
     FROM information_schema.columns JOIN pg_class ON oid = (quote_ident(table_schema) || '.' || quote_ident(table_name))::regclass
     WHERE table_schema = $1 AND NOT relispartition AND table_name <> '_prisma_migrations'
     GROUP BY table_name ORDER BY table_name`,
    [schema],
  );
  return Object.fromEntries(rows.map(({ table, columns }) => [table, columns]));
}
