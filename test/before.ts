import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { openDatabase } from '../plugins/database/open.js';
import { loadConfig } from '../src/config/index.js';
import { embeddedTemplate, onPostgres } from './database.js';

// The first start of an embedded database takes seconds, a copy of one that has been started none.
const { database: options, version } = loadConfig({ DATA_DIR: embeddedTemplate });
if (!onPostgres && !isCurrent()) {
  rmSync(embeddedTemplate, { recursive: true, force: true });
  const database = openDatabase(options);
  await database.start(() => {});
  await database.migrate(version);
  // What the service would do at each start anew.
  await database.pool.query(`SELECT request_logs_add_days(0, (now() AT TIME ZONE 'UTC')::date)`);
  await database.close();
}

function isCurrent() {
  const migrations = `${options.prismaDir}/migrations`;
  if (!existsSync(`${embeddedTemplate}/pglite`)) return false;
  const madeAt = statSync(embeddedTemplate).mtimeMs;
  return readdirSync(migrations, { recursive: true }).every(
    (file) => statSync(`${migrations}/${file}`).mtimeMs < madeAt,
  );
}
