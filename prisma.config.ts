import { defineConfig } from 'prisma/config';

// Prisma downloads a schema engine binary, which networks without its host refuse. `generate`, `validate` and `studio`
// never call it: any file that exists satisfies the check. Migrations run on the same engine in WebAssembly
// (plugins/database/migrations).
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath;

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
});
