import { existsSync } from 'node:fs';
import { defineConfig } from 'prisma/config';

if (existsSync('.env')) process.loadEnvFile('.env');

// Prisma downloads a schema engine binary, which closed networks refuse. `generate`, `validate` and `studio` never call
// it, so any file that exists will do. `migrate` and `db` do call it: `npx prisma migrate reset` needs an open network.
// The service itself migrates with the same engine in WebAssembly (plugins/database/migrations).
const callsEngine = ['migrate', 'db'].includes(process.argv[2] ?? '');
if (!callsEngine) process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath;

const { DATABASE_URL, SHADOW_DATABASE_URL } = process.env;

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  ...(DATABASE_URL && {
    datasource: { url: DATABASE_URL, ...(SHADOW_DATABASE_URL && { shadowDatabaseUrl: SHADOW_DATABASE_URL }) },
  }),
});
