import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { openDatabase } from '../plugins/database/open.js';
import { loadConfig } from '../src/config/index.js';
import { administer, embeddedTemplate, onPostgres, postgresTemplate, urlOf } from './database.js';
import { root } from './root.js';

// To migrate a database takes a second, the first start of an embedded one more; a copy of one takes nothing.
if (onPostgres) {
  await administer(`DROP DATABASE IF EXISTS ${postgresTemplate}`);
  await administer(`CREATE DATABASE ${postgresTemplate}`);
  await migrate({ DATA_DIR: embeddedTemplate, DATABASE_URL: urlOf(postgresTemplate) });
} else if (!isCurrent()) {
  rmSync(embeddedTemplate, { recursive: true, force: true });
  await migrate({ DATA_DIR: embeddedTemplate });
}

async function migrate(variables: NodeJS.ProcessEnv) {
  const { database: options, version } = loadConfig(variables);
  const database = openDatabase(options);
  await database.start(() => {});
  await database.migrate(version);
  // What the service would do at each start anew.
  await database.pool.query(`SELECT request_logs_add_days(0, (now() AT TIME ZONE 'UTC')::date)`);
  await database.close();
}

function isCurrent() {
  if (!existsSync(`${embeddedTemplate}/pglite`)) return false;
  const madeAt = statSync(embeddedTemplate).mtimeMs;
  const migrations = `${root}/prisma/migrations`;
  return readdirSync(migrations, { recursive: true }).every(
    (file) => statSync(`${migrations}/${file}`).mtimeMs < madeAt,
  );
}
