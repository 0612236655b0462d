import { cpSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { openDatabase } from '../plugins/database/open.js';
import { loadConfig } from '../src/config/index.js';
import {
  embeddedTemplate,
  emptyEmbeddedTemplate,
  onPostgres,
  postgresTemplate,
  runAdminSql,
  urlOf,
} from './database.js';
import { root } from './root.js';

// Migrating a database takes a second, and creating an embedded one takes longer, so tests copy these templates.
if (onPostgres) {
  await runAdminSql(`DROP DATABASE IF EXISTS ${postgresTemplate}`);
  await runAdminSql(`CREATE DATABASE ${postgresTemplate}`);
  await migrate({ DATA_DIR: embeddedTemplate, DATABASE_URL: urlOf(postgresTemplate) });
} else if (!isCurrent()) {
  for (const template of [embeddedTemplate, emptyEmbeddedTemplate]) rmSync(template, { recursive: true, force: true });
  const empty = openDatabase(loadConfig({ DATA_DIR: emptyEmbeddedTemplate }).database);
  await empty.start(() => {});
  await empty.close();
  cpSync(emptyEmbeddedTemplate, embeddedTemplate, { recursive: true });
  await migrate({ DATA_DIR: embeddedTemplate });
}

async function migrate(variables: NodeJS.ProcessEnv) {
  const { database: options, version } = loadConfig(variables);
  const database = openDatabase(options);
  await database.start(() => {});
  await database.migrate(version);
  // Create the daily partitions here; otherwise each start of the service would create them.
  await database.pool.query(`SELECT request_logs_add_days(0, (now() AT TIME ZONE 'UTC')::date)`);
  await database.close();
}

function isCurrent() {
  if (!existsSync(`${embeddedTemplate}/pglite`)) return false;
  const createdAt = statSync(embeddedTemplate).mtimeMs;
  const migrations = `${root}/prisma/migrations`;
  return readdirSync(migrations, { recursive: true }).every(
    (file) => statSync(`${migrations}/${file}`).mtimeMs < createdAt,
  );
}
