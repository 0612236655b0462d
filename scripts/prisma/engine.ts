import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  bindMigrationAwareSqlAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';
import type { Migration } from '../../plugins/database/migrations/files.js';

export type SchemaEngine = bindings.SchemaEngine;

/** Includes all tables: none is managed by another tool. */
export const allTables: bindings.SchemaFilter = { externalTables: [], externalEnums: [] };

let instantiated: Promise<void> | undefined;

/**
 * Opens Prisma's schema engine in WebAssembly: the engine of its CLI, without the binary that the CLI downloads.
 *
 * @param adapter the database that it works on
 * @param schema the text of schema.prisma
 */
export async function openSchemaEngine(
  adapter: SqlMigrationAwareDriverAdapterFactory,
  schema: string,
): Promise<SchemaEngine> {
  instantiated ??= instantiate();
  await instantiated;
  const ignoreLog = () => {};
  return bindings.SchemaEngine.new(
    { datamodels: [['schema.prisma', schema]] },
    ignoreLog,
    bindMigrationAwareSqlAdapterFactory(adapter),
  );
}

// The package's own entry imports the .wasm file as a module, which Node.js 20 does not do.
async function instantiate() {
  const script = import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const binary = await readFile(fileURLToPath(script.replace(/\.js$/, '.wasm')));
  const { instance } = await WebAssembly.instantiate(binary, { './schema_engine_bg.js': { ...bindings } });
  const exports = instance.exports as WebAssembly.Exports & { __wbindgen_start(): void };
  bindings.__wbg_set_wasm(exports);
  exports.__wbindgen_start();
}

/** Converts migrations to the format of the engine. */
export function migrationListOf(migrations: Migration[]): bindings.MigrationList {
  return {
    baseDir: 'migrations',
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, script }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: script } },
    })),
  };
}
