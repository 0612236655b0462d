import { existsSync } from 'node:fs';
import { defineConfig } from 'prisma/config';

if (existsSync('.env')) process.loadEnvFile('.env');

// Prisma downloads an engine that only `migrate` and `db` call. For other commands any file will do, also on a closed network.
const callsEngine = ['migrate', 'db'].includes(process.argv[2] ?? '');
if (!callsEngine) process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath;

const { DATABASE_URL } = process.env;

/** The database, with the PostgreSQL schema of `tables` in src/service.ts. */
function ownSchemaOf(url: string) {
  const result = new URL(url);
  result.searchParams.set('schema', 'app');
  return result.href;
}

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  ...(DATABASE_URL && { datasource: { url: ownSchemaOf(DATABASE_URL) } }),
});
