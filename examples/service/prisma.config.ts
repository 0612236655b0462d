import { existsSync } from 'node:fs';
import { defineConfig } from 'prisma/config';

if (existsSync('.env')) process.loadEnvFile('.env');

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
